"""Options that the commands of analysis share, called as the parameters of the Python door are.

Nothing is imported here but click: help must come at once. Tests hold the words against the door's own.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from analysis.errors import AnalysisError, Problem

DATA_SUFFIXES = (".csv", ".parquet", ".sav", ".zsav", ".por", ".dta")
Command = TypeVar("Command", bound=Callable[..., Any])
METHODS, ROLL_UPS = ("top2", "mean5", "mean01"), ("pooled", "item_mean", "factor_mean", "area_mean")
STATISTICS = ("mean", "proportion", "total", "ratio", "quantile", "index")
INTERVALS = ("korn_graubard", "beta", "logit", "wilson", "t", "mean", "asin")
RULES_OF_QUANTILES = ("math", "school", "hf1", "hf2", "hf3", "hf4", "hf5", "hf6", "hf7", "hf8", "hf9")
FILE = click.Path(dir_okay=False)

WAVE = (
    click.option("--cells", is_flag=True, help="Post-stratify centre × field instead of raking to both margins."),
    click.option("--register", type=FILE, help="Register file instead of the extract's."),
    click.option("--minimum", type=click.IntRange(min=1), help="Responses a class needs; else it joins another."),
    click.option("--margins", type=FILE, help="Totals of residents to rake a sample wave to: CSV margin,class,total."),
)
JSON = (click.option("--json", "as_json", is_flag=True, help="Print JSON for machines."),)
RULES = (
    click.option("--item-method", type=click.Choice(METHODS), help="Score of one answer."),
    click.option("--roll-up", type=click.Choice(ROLL_UPS), help="From items to the index."),
)
ENGINE = (
    click.option(
        "--engine",
        type=click.Choice(("memory", "duckdb")),
        default="memory",
        show_default=True,
        help="Where the sums over rows of a Parquet file are formed; duckdb for files larger than memory.",
    ),
)
READING = (
    click.option("--separator", type=click.Choice(("comma", "semicolon", "tab")), help="Between columns of a CSV."),
    click.option("--decimal", type=click.Choice(("point", "comma")), help="Before decimals of a CSV."),
)
DESIGN = (
    click.option("--weight", help="Column of weights; without it every row counts 1."),
    click.option("--stratum", multiple=True, help="Column of strata; once for each stage."),
    click.option("--psu", multiple=True, help="Column of sampling units; once for each stage."),
    click.option("--fpc", multiple=True, help="Column of population counts of units; once for each stage."),
    click.option("--nest", is_flag=True, help="PSU labels are repeated from stratum to stratum."),
    click.option(
        "--lone-psu",
        type=click.Choice(("fail", "remove", "adjust", "average")),
        default="fail",
        show_default=True,
        help="A stratum with one PSU: stop, leave it out, centre on all PSUs, or take the mean of the others.",
    ),
    click.option(
        "--lone-domain",
        type=click.Choice(("ignore", "treat")),
        default="ignore",
        show_default=True,
        help="A stratum with one PSU in a domain: as it is, or as --lone-psu says.",
    ),
)
REPLICATES = (
    click.option(
        "--replicate", type=click.Choice(("jackknife", "brr", "fay", "bootstrap")), help="Variance from replicates."
    ),
    click.option("--replicates", type=click.IntRange(min=2), default=500, show_default=True, help="Of the bootstrap."),
    click.option("--rho", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="Fay's coefficient."),
    click.option("--seed", type=click.IntRange(min=0), help="Of the bootstrap's random numbers."),
    click.option(
        "--kind", type=click.Choice(("rao_wu", "canty_davison", "preston")), default="rao_wu", help="Of bootstrap."
    ),
    click.option("--replicate-weights", multiple=True, metavar="PATTERN", help="Columns that hold them: 'rw*'."),
    click.option("--scale", type=float, help="Of the replicate weights in the file, as their maker gives it."),
    click.option("--rscales", multiple=True, type=float, help="One for each replicate; without them 1."),
    click.option(
        "--centre",
        type=click.Choice(("mean", "estimate")),
        default="mean",
        show_default=True,
        help="What replicates deviate from: their mean or the estimate.",
    ),
)
CALIBRATION = (
    click.option("--rake", type=FILE, metavar="TOTALS", help="Rake to the margins of a CSV margin,label,total."),
    click.option("--post-stratify", type=FILE, metavar="TOTALS", help="Post-stratify to one margin of such a CSV."),
    click.option("--calibrate", type=FILE, metavar="TOTALS", help="Calibrate to such a CSV, numbers included."),
    click.option(
        "--method", type=click.Choice(("linear", "raking", "logit")), default="linear", help="Of --calibrate."
    ),
    click.option("--bounds", type=(float, float), metavar="LOW HIGH", help="On the factors of --calibrate."),
    click.option(
        "--aggregate",
        type=click.Choice(("none", "psu")),
        default="none",
        show_default=True,
        help="One factor of --calibrate for a whole sampling unit, or one for each row.",
    ),
    click.option("--trim", type=(float, float), metavar="LOWER UPPER", help="Bounds on the weights, after that."),
)
STATISTIC = (
    click.option("--statistic", type=click.Choice(STATISTICS), default="mean", show_default=True),
    click.option("--variable", "variables", multiple=True, help="Column, or pattern such as 'q*'; several times."),
    click.option("--denominator", help="Column under the ratio."),
    click.option("--of", multiple=True, type=int, help="Code that a proportion counts; several times, as 4 and 5."),
    click.option("--q", multiple=True, type=click.FloatRange(0, 1, True, True), help="Quantile: 0.5 is the median."),
    click.option("--rule", type=click.Choice(RULES_OF_QUANTILES), help="Of quantiles.  [default: math]"),
    click.option("--factor", "factors", multiple=True, metavar="A=Q1,Q2", help="Factor of an index and its items."),
    click.option("--by", multiple=True, help="Column that makes domains; several are crossed."),
    click.option("--missing", multiple=True, type=int, help="Code that means no answer; several times."),
    click.option(
        "--interval", type=click.Choice(INTERVALS), help="Of a proportion (korn_graubard …) or quantile (mean …)."
    ),
    click.option("--level", type=click.FloatRange(50, 99.99), default=95, show_default=True, help="Per cent."),
    click.option(
        "--df",
        type=click.Choice(("domain", "design")),
        default="domain",
        show_default=True,
        help="Degrees of freedom: PSUs − strata with a row in the domain, or of the whole design.",
    ),
    click.option(
        "--value-labels",
        "value_words",
        type=click.Choice(("beside", "instead", "off")),
        help="Words of SPSS and Stata for the codes of --by.  [default: beside]",
    ),
)
OF_A_WAVE = ("cells", "register", "minimum", "margins")
OF_A_DESIGN = (
    *("weight", "stratum", "psu", "fpc", "nest", "lone_psu", "lone_domain", "replicate", "replicates", "rho", "seed"),
    *("kind", "replicate_weights", "scale", "rscales", "centre", "rake", "post_stratify", "calibrate", "method"),
    *("bounds", "aggregate", "trim", "separator", "decimal"),
)
NEEDS = {
    "replicates": "replicate", "rho": "replicate", "seed": "replicate", "kind": "replicate",
    "scale": "replicate_weights", "rscales": "replicate_weights", "method": "calibrate", "bounds": "calibrate",
    "aggregate": "calibrate",
}  # fmt: skip
"""An option that says how, and the one that it speaks of."""


def options(*groups: tuple[Callable[[Command], Command], ...]) -> Callable[[Command], Command]:
    """The groups' options, in the order in which help shows them."""

    def with_options(command: Command) -> Command:
        for group in reversed(groups):
            for option in reversed(group):
                command = option(command)
        return command

    return with_options


def is_data(target: str) -> bool:
    """Whether the name is that of a data file rather than of a wave or an extract."""
    path = Path(target)
    known = path.suffix.lower() in DATA_SUFFIXES
    if not known and path.is_file() and path.suffix.lower() != ".json":
        what = f"{path.name} is no kind of file that can be read"
        raise AnalysisError(Problem(what, target, f"save it as one of {', '.join(DATA_SUFFIXES)}"))
    return known


def read_files(given: Mapping[str, Any]) -> list[str]:
    """Names of files among the values of options."""
    values = [part for value in given.values() for part in (value if isinstance(value, tuple) else (value,))]
    return [value for value in values if isinstance(value, str) and Path(value).is_file()]


def given_options(names: tuple[str, ...]) -> list[str]:
    """Those of the parameters that were typed."""
    context = click.get_current_context()
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names
        and context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
    ]


def refuse(names: tuple[str, ...], what: str, remedy: str) -> None:
    """An option that would be passed over in silence is an error."""
    if given := given_options(names):
        raise AnalysisError(Problem(f"{option} {what}", option, remedy) for option in given)


def design_request(given: Mapping[str, Any]) -> Any:
    """What was typed as a DesignRequest; one way of calibration at a time, and nothing that speaks of nothing."""
    from analysis.files.filedesign import DesignRequest

    chosen = [name for name in ("rake", "post_stratify", "calibrate") if given[name]]
    option = {name: f"--{name.replace('_', '-')}" for name in (*chosen, *NEEDS, *NEEDS.values())}
    problems = []
    if len(chosen) > 1:
        what = f"{' and '.join(option[name] for name in chosen)} are two ways to the same end"
        problems.append(Problem(what, option[chosen[1]], "choose one"))
    if given["replicate"] and given["replicate_weights"]:
        what = "replicates are either made or brought"
        problems.append(Problem(what, "--replicate", "leave out --replicate or --replicate-weights"))
    for name, of in NEEDS.items():
        if not given[of] and given_options((name,)):
            problems.append(Problem(f"{option[name]} speaks of {option[of]}", option[name], f"give {option[of]} too"))
    if problems:
        raise AnalysisError(problems)
    fields = {name: given[name] for name in OF_A_DESIGN if name in DesignRequest.__dataclass_fields__}
    calibration = chosen[0] if chosen else None
    fields |= {"calibration": calibration, "totals": Path(given[calibration]) if calibration else None}
    return DesignRequest(**fields)


def file_format(given: Mapping[str, Any]) -> Any:
    from analysis.files.datafile import FileFormat

    return FileFormat(given["separator"] or "comma", given["decimal"] or "point")
