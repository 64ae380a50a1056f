"""The commands and their options. What they do is imported when they run: `softgrad --help` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from softgrad import __version__
from softgrad.cli.errors import reported

app = typer.Typer(
    help="Softmax regression from a file, experiments, gradient checks. Errors that you can put right end with exit "
    "status 2; what is unexpected, as a full disk, with 1, as does a gradient check that does not pass.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DATA_HELP = (
    "digits, iris or wine; or files, folders of files, quoted patterns or URIs (s3://, gs://, ...) of .csv, .tsv, "
    ".parquet, .feather, .arrow or .svmlight files, also .gz, .bz2, .xz or .zst; several are read as one. Folders "
    "called KEY=VALUE are columns. - is standard input, with --format."
)
JSON_HELP = "Print one JSON object on stdout, and everything else on stderr."

Data = Annotated[list[str], typer.Argument(metavar="DATA", help=DATA_HELP, show_default=False)]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that train wrote.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help=JSON_HELP)]
# How a file is read.
FILE = "Reading the file"
Format = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="csv, tsv, parquet, feather, arrow or svmlight.", rich_help_panel=FILE),
]
Delimiter = Annotated[
    str | None,
    typer.Option(metavar="CHARACTER", help='Between cells; or "tab". Found if not given.', rich_help_panel=FILE),
]
Decimal = Annotated[
    str | None, typer.Option(metavar="CHARACTER", help="The decimal sign; a point if not given.", rich_help_panel=FILE)
]
Thousands = Annotated[
    str | None, typer.Option(metavar="CHARACTER", help="Between groups of three digits.", rich_help_panel=FILE)
]
Encoding = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="As cp1252; UTF-8, or found, if not given.", rich_help_panel=FILE),
]
NoHeader = Annotated[
    bool, typer.Option("--no-header", help="The columns have no names; they are c1, c2, ...", rich_help_panel=FILE)
]
Na = Annotated[
    list[str] | None,
    typer.Option("--na", metavar="WORD", help="A cell that holds it is missing; repeatable.", rich_help_panel=FILE),
]
UnseenTexts = Annotated[
    str | None,
    typer.Option(
        "--unseen",
        metavar="zero|error",
        help="What a text is that the training did not have: none of its texts, or an error.",
        rich_help_panel=FILE,
    ),
]
# What the columns are, said in training alone.
COLUMNS = "Columns"
Chosen = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="A,B", help="The features; all if not given.", rich_help_panel=COLUMNS),
]
Dropped = Annotated[
    list[str] | None,
    typer.Option("--drop", metavar="COLUMN", help="Is left out; repeatable.", rich_help_panel=COLUMNS),
]
AsNumber = Annotated[
    list[str] | None,
    typer.Option("--number", metavar="COLUMN", help="Holds numbers, else it is an error.", rich_help_panel=COLUMNS),
]
AsText = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="COLUMN", help="Holds text, whatever it looks like.", rich_help_panel=COLUMNS),
]
LabelAs = Annotated[
    str | None,
    typer.Option(metavar="text", help="Labels are text, though they look like numbers.", rich_help_panel=COLUMNS),
]
SampleWeight = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Holds the weight of each row.", rich_help_panel=COLUMNS)
]
MissingCells = Annotated[
    str | None,
    typer.Option(
        "--missing",
        metavar="error|drop|mean|median|most-frequent",
        help="What becomes of missing cells: an error, their row is left out, or they are filled from the training "
        "rows; text with the most frequent.",
        rich_help_panel=COLUMNS,
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="The column to predict; digits, iris and wine have their own. Repeated: columns with the probability of "
        "the class of their name. One of lists: the probabilities of the classes 0, 1, ...",
    ),
]
# Where the rows are read.
CLUSTER = "Cluster"
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="The workers of this Ray cluster read the files, which all of them must find by the same names; local "
        "starts a cluster on this machine. Needs the extra ray.",
        rich_help_panel=CLUSTER,
    ),
]
WorkerCount = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", help="With --ray; as many as it has CPUs if not given.", rich_help_panel=CLUSTER
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")]


@app.callback(invoke_without_command=True)
def softgrad(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        with reported(debug=False):
            print(f"softgrad {__version__}")
        raise typer.Exit


@app.command()
def train(
    data: Data,
    target: Targets = None,
    test_fraction: Annotated[float, typer.Option(help="Share of the rows kept for the test; 0 for none.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Decides which rows these are.")] = 0,
    inverse_penalty: Annotated[
        float | None,
        typer.Option(
            "-C", metavar="C", help="Inverse strength of the penalty on the weights; inf: none; 1 if not given."
        ),
    ] = None,
    select_C: Annotated[
        bool, typer.Option("--select-C", help="Choose C from ten by cross-validation on the training rows.")
    ] = False,
    max_iter: Annotated[int, typer.Option(help="The most iterations.")] = 1000,
    class_weight: Annotated[
        str | None, typer.Option(metavar="balanced", help="Each class weighs as much as the others.")
    ] = None,
    label_smoothing: Annotated[
        float, typer.Option(metavar="SHARE", help="Of each label, spread evenly over the classes.")
    ] = 0.0,
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
    cache: Annotated[
        bool, typer.Option("--cache", help="With --stream: keep what was parsed in a temporary file until the end.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --stream or --ray: keep the state of the training there, to resume from."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    ray: Ray = None,
    workers: WorkerCount = None,
    columns: Chosen = None,
    drop: Dropped = None,
    number: AsNumber = None,
    text: AsText = None,
    label_as: LabelAs = None,
    sample_weight: SampleWeight = None,
    missing: MissingCells = None,
    format: Format = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    encoding: Encoding = None,
    no_header: NoHeader = False,
    na: Na = None,
    unseen: UnseenTexts = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Train a softmax regression and test it.

    What each column was taken as is shown before. Numbers are standardised; truth values count as 0 and 1. Text is
    one-hot, with at most 1000 different texts in a column; text that was not seen in training becomes all zeros. The
    target holds text, whole numbers or truth values, at most 1000 different ones. Missing cells are errors, unless
    --missing says otherwise, and infinite ones are always.

    Of each class the same share of rows is for the test, drawn by the seed. With --stream, with --ray and without
    either the model is the same, bit for bit.
    """
    with reported(debug=debug):
        from softgrad.cli import train as command
        from softgrad.cli.cluster import Cluster
        from softgrad.cli.data import Data as Named
        from softgrad.cli.options import balanced
        from softgrad.cli.reading import Reading, columns_listed
        from softgrad.cli.report import Output
        from softgrad.cli.training_request import Request

        reading = Reading.of(
            format=format,
            delimiter=delimiter,
            decimal=decimal,
            thousands=thousands,
            encoding=encoding,
            header=False if no_header else None,
            na=na,
            columns=columns_listed(columns or ()),
            drop=drop,
            number=number or (),
            text=text or (),
            missing=missing,
            unseen=unseen,
        )
        request = Request(
            data=Named(data),
            reading=reading,
            targets=tuple(target or ()),
            label_as=label_as,
            sample_weight=sample_weight,
            class_weight=balanced(class_weight),
            label_smoothing=label_smoothing,
            test_fraction=test_fraction,
            seed=seed,
            inverse_penalty=inverse_penalty,
            select_C=select_C,
            max_iter=max_iter,
            model=model,
            plot=plot,
            report=report,
            stream=stream,
            cache=cache,
            checkpoint=checkpoint,
            resume=resume,
            cluster=Cluster.of(ray, workers),
        )
        command.train(request, Output(as_json))


@app.command()
def describe(
    data: Data,
    columns: Chosen = None,
    drop: Dropped = None,
    number: AsNumber = None,
    text: AsText = None,
    format: Format = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    encoding: Encoding = None,
    no_header: NoHeader = False,
    na: Na = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show what each column of a file is taken as, what it holds, and what is odd about it."""
    with reported(debug=debug):
        from softgrad.cli import describe as command
        from softgrad.cli.data import Data as Named
        from softgrad.cli.reading import Reading, columns_listed
        from softgrad.cli.report import Output

        reading = Reading.of(
            format=format,
            delimiter=delimiter,
            decimal=decimal,
            thousands=thousands,
            encoding=encoding,
            header=False if no_header else None,
            na=na,
            columns=columns_listed(columns or ()),
            drop=drop,
            number=number or (),
            text=text or (),
        )
        command.describe(Named(data), reading, Output(as_json))


@app.command()
def predict(
    model: ModelFile,
    data: Data,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT.csv", help="Write there instead of stdout.")
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            metavar="DIRECTORY",
            help="Write a file for each of the data there, or several for a large Parquet file, in their order: "
            "part-00000.csv, ... It must be new or empty.",
        ),
    ] = None,
    ray: Ray = None,
    workers: WorkerCount = None,
    format: Format = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    encoding: Encoding = None,
    no_header: NoHeader = False,
    na: Na = None,
    unseen: UnseenTexts = None,
    debug: Debug = False,
) -> None:
    """Write the predicted label and the probability of each class, one CSV line per row.

    The data need the columns of the training; others are left aside. A file is read as the training read its own, but
    for the options given here.
    """
    with reported(debug=debug):
        from softgrad.cli import predict as command
        from softgrad.cli.cluster import Cluster
        from softgrad.cli.data import Data as Named
        from softgrad.cli.reading import Reading

        reading = Reading.of(
            format=format,
            delimiter=delimiter,
            decimal=decimal,
            thousands=thousands,
            encoding=encoding,
            header=False if no_header else None,
            na=na,
            unseen=unseen,
        )
        command.predict(model, Named(data), reading, output, output_dir, Cluster.of(ray, workers))


@app.command()
def evaluate(
    model: ModelFile,
    data: Data,
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column with the true labels; that of the training if not given."),
    ] = None,
    ray: Ray = None,
    workers: WorkerCount = None,
    format: Format = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    encoding: Encoding = None,
    no_header: NoHeader = False,
    na: Na = None,
    unseen: UnseenTexts = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare predictions with the true labels: loss, accuracy, confusion matrix."""
    with reported(debug=debug):
        from softgrad.cli import evaluate as command
        from softgrad.cli.cluster import Cluster
        from softgrad.cli.data import Data as Named
        from softgrad.cli.reading import Reading
        from softgrad.cli.report import Output

        reading = Reading.of(
            format=format,
            delimiter=delimiter,
            decimal=decimal,
            thousands=thousands,
            encoding=encoding,
            header=False if no_header else None,
            na=na,
            unseen=unseen,
        )
        command.evaluate(model, Named(data), reading, target, Cluster.of(ray, workers), Output(as_json))


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
