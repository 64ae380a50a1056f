"""The commands and their options. What they do is imported when they run: `softgrad --help` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from softgrad.cli.errors import reported

app = typer.Typer(
    help="Softmax regression from a file, experiments, gradient checks. Errors that you can put right end with exit "
    "status 2; what is unexpected, as a full disk, with 1, as does a gradient check that does not pass.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DATA_HELP = (
    "digits, iris or wine, or a .csv, .tsv, .parquet or .feather file, also .gz; "
    ".svmlight with train --stream, predict and evaluate."
)
JSON_HELP = "Print one JSON object on stdout, and everything else on stderr."

Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP, show_default=False)]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that train wrote.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help=JSON_HELP)]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")]


@app.command()
def train(
    data: Data,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column to predict; digits, iris and wine have their own.")
    ] = None,
    test_fraction: Annotated[float, typer.Option(help="Share of the rows kept for the test; 0 for none.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Decides which rows these are.")] = 0,
    inverse_penalty: Annotated[
        float | None,
        typer.Option("-C", metavar="C", help="Inverse strength of the penalty on the weights; 1 if not given."),
    ] = None,
    select_C: Annotated[
        bool, typer.Option("--select-C", help="Choose C from ten by cross-validation on the training rows.")
    ] = False,
    max_iter: Annotated[int, typer.Option(help="The most iterations.")] = 1000,
    model: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the model there.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the loss curve and the confusion matrix there.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write data, training and scores there as one page.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read the file part by part, many times: it need not fit into memory.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --stream: keep the state of the training there, to resume from."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Train a softmax regression and test it.

    Numbers are standardised; truth values count as 0 and 1. Text is one-hot, with at most 1000 different texts
    in a column; text that was not seen in training becomes all zeros. The target holds text, whole numbers or
    truth values, at most 1000 different ones. Missing and infinite values are errors.

    With --stream each row is for the test by itself, with the probability --test-fraction, not by class.
    """
    with reported(debug=debug):
        from softgrad.cli import train as command
        from softgrad.cli.report import Output
        from softgrad.cli.training_request import Request

        request = Request(
            data=data,
            target=target,
            test_fraction=test_fraction,
            seed=seed,
            inverse_penalty=inverse_penalty,
            select_C=select_C,
            max_iter=max_iter,
            model=model,
            plot=plot,
            report=report,
            stream=stream,
            checkpoint=checkpoint,
            resume=resume,
        )
        command.train(request, Output(as_json))


@app.command()
def predict(
    model: ModelFile,
    data: Data,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT.csv", help="Write there instead of stdout.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Write the predicted label and the probability of each class, one CSV line per row.

    The data need the columns of the training; others are left aside.
    """
    with reported(debug=debug):
        from softgrad.cli import predict as command

        command.predict(model, data, output)


@app.command()
def evaluate(
    model: ModelFile,
    data: Data,
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column with the true labels; that of the training if not given."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare predictions with the true labels: loss, accuracy, confusion matrix."""
    with reported(debug=debug):
        from softgrad.cli import evaluate as command
        from softgrad.cli.report import Output

        command.evaluate(model, data, target, Output(as_json))


@app.command()
def export(
    model: ModelFile,
    output: Annotated[Path, typer.Argument(metavar="OUT.onnx", help="The file to write.", show_default=False)],
    dtype: Annotated[str, typer.Option(help="float64, or float32 for runtimes without float64.")] = "float64",
    opset: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Version of ONNX's operators; the oldest that will do if not given, 13, or 19 with text."
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Write the model as ONNX, with the encoding of its columns.

    The input X takes the columns of numbers, the input text those of text, in the order of the training data. The
    outputs are label and probabilities. Needs the extra onnx.
    """
    with reported(debug=debug):
        from softgrad.cli import export as command
        from softgrad.cli.report import Output

        command.export(model, output, dtype, opset, Output(json_only=False))


@app.command()
def experiment(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which one; without it they are listed.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIRECTORY", help="Write the picture there, not in the current folder."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Run an experiment on softmax and cross-entropy: print its numbers, write its picture to NAME.png."""
    with reported(debug=debug):
        from softgrad.cli import experiment as command
        from softgrad.cli.report import Output

        command.experiment(name, output, Output(as_json))


@app.command()
def gradcheck(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Which function; without it all of them.", show_default=False),
    ] = None,
    dtype: Annotated[
        list[str] | None,
        typer.Option(help="float64, float32, float16 or bfloat16; may be repeated. float64 and float32 if not given."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the arguments.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the error of differences against their step there.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Check every derivative of the functions against differences. Exit status 1 unless all pass."""
    with reported(debug=debug):
        from softgrad.cli import gradcheck as command
        from softgrad.cli.report import Output

        command.gradcheck(command.Request(name, dtype or (), seed, plot), Output(as_json))


@app.command()
def info(debug: Debug = False) -> None:
    """Show the version, the instruction set, the threads and what is installed."""
    with reported(debug=debug):
        from softgrad.cli import info as command

        for line in command.lines():
            print(line)
