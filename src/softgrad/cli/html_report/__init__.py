"""`softgrad train --report`: a training as one page of HTML that needs nothing else, no script and no network."""

from softgrad.cli.html_report.findings import Findings
from softgrad.cli.html_report.page import write_report

__all__ = ["Findings", "write_report"]
