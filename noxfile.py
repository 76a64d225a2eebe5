"""Sessions of nox: every package under packages/ and examples/ is found by its folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nox
from nox.project import dependency_groups, load_toml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent
CORE = ROOT / "packages" / "rechunker-core"
REEXPORTED = ["beam", "dask", "prefect", "pywren"]
SUPPORTED = ["3.11", "3.12", "3.13", "3.14"]

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "typecheck", "bare", "doctests", "minimums", "together", "tests"]


def find_packages() -> list[Path]:
    """Return the folders of all packages, the core last."""
    found = [*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("examples/*/pyproject.toml")]
    return [*sorted({path.parent for path in found} - {CORE}), CORE]


def runs(version: str) -> bool:
    """Whether this Python is there; a version manager may leave a program that cannot run."""
    program = shutil.which(f"python{version}")
    return (
        program is not None and not subprocess.run([program, "-V"], capture_output=True).returncode
    )


def fits(package: Path, version: str) -> bool:
    """Whether a package says that it runs on a Python."""
    needed = load_toml(package / "pyproject.toml")["project"]["requires-python"]
    return f"{version}.99" in SpecifierSet(needed)


def pythons(package: Path) -> list[str]:
    """Return the oldest and the newest Python found that a package runs on."""
    fit = [version for version in FOUND if fits(package, version)]
    # With none, one that makes the sessions of this package say so.
    return list(dict.fromkeys([fit[0], fit[-1]])) if fit else FOUND[:1]


RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
# With nothing there, a version that nox will report as missing.
FOUND = [v for v in SUPPORTED if v == RUNNING or runs(v)] or SUPPORTED[-1:]
PACKAGES = find_packages()
# The newest Python of those that most packages run on.
COMMON = max(reversed(FOUND), key=lambda version: sum(fits(path, version) for path in PACKAGES))
ONCE = [nox.param(pythons(path)[0], path, id=path.name) for path in PACKAGES]
TWICE = [
    nox.param(version, path, id=f"{path.name}-{version}")
    for path in PACKAGES
    for version in pythons(path)
]
EACH_PACKAGE = nox.parametrize("python,package", ONCE)


def build(session: nox.Session, package: Path) -> str:
    """Build the wheel of a package, which is what the sessions install."""
    folder = Path(session.create_tmp()) / package.name
    shutil.rmtree(folder, ignore_errors=True)
    session.run_install("uv", "build", "--quiet", "--wheel", f"--out-dir={folder}", package)
    (wheel,) = folder.glob("*.whl")
    return str(wheel)


def install(session: nox.Session, *packages: Path, group: str | None = "test") -> None:
    """Install the wheels of packages and the core, and what the packages' tests need."""
    for path in packages:
        if not fits(path, str(session.python)):
            session.skip(f"{path.name} runs on none of the Pythons found: {', '.join(FOUND)}")
    together = dict.fromkeys([CORE, *packages])
    needs = [need for path in packages for need in requirements(path, group)] if group else []
    session.install(*(build(session, path) for path in together), *needs)


def requirements(folder: Path, group: str) -> list[str]:
    """Return the requirements of a dependency group."""
    return list(dependency_groups(load_toml(folder / "pyproject.toml"), group))


def declared(folder: Path) -> list[str]:
    """Return the requirements that a package declares to its users, extras included."""
    project: dict[str, Any] = load_toml(folder / "pyproject.toml")["project"]
    extras = project.get("optional-dependencies", {}).values()
    every = [*project["dependencies"], *(need for extra in extras for need in extra)]
    return [need for need in every if not need.startswith("rechunker-")]


def module_of(package: Path) -> str:
    """Return the name under which a package is imported."""
    (init,) = package.glob("src/*/__init__.py")
    return init.parent.name


def run_tests(session: nox.Session, package: Path) -> None:
    """Run the tests of a package on what is installed; the source tree is not on the path."""
    # A package whose tests may run side by side says so by needing what does that.
    parallel = any(need.startswith("pytest-xdist") for need in requirements(package, "test"))
    spread = ["-n", "auto", "--dist=worksteal"] if parallel else []
    session.run("pytest", f"--rootdir={ROOT}", *spread, package / "tests", *session.posargs)


@nox.session(python=RUNNING)
def demo(session: nox.Session) -> None:
    """Rechunk 1.5 GB within 500 MB and show what it took."""
    install(session, CORE, group=None)
    session.run("python", ROOT / "bench" / "demo.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format, and that no modules import each other in a circle."""
    session.install(*requirements(ROOT, "lint"))
    session.run("python", ROOT / "checks" / "import_graph.py")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
@EACH_PACKAGE
def typecheck(session: nox.Session, package: Path) -> None:
    """Check the types of a package and its tests; with the core, those of the programs too."""
    install(session, package)
    session.install(*requirements(ROOT, "typecheck"))
    settings = f"--config-file={ROOT / 'pyproject.toml'}"

    bench, checks = ROOT / "bench", ROOT / "checks"

    def mypy(*paths: Path, bases: list[Path]) -> None:
        session.run("mypy", settings, *paths, env={"MYPYPATH": os.pathsep.join(map(str, bases))})

    source, tests = package / "src", package / "tests"
    mypy(source, tests, bases=[source, tests, bench, checks])
    if package == CORE:
        mypy(bench, bases=[bench])
        mypy(ROOT / "noxfile.py", ROOT / "run.py", checks, bases=[checks])


@nox.session(python=RUNNING)
def bare(session: nox.Session) -> None:
    """Use the core where nothing is installed but what it declares."""
    install(session, CORE, group=None)
    session.run("python", ROOT / "checks" / "bare.py")


@nox.session
@EACH_PACKAGE
def doctests(session: nox.Session, package: Path) -> None:
    """Run the examples in docstrings and documents."""
    install(session, package)
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), CORE / "README.md"]
    examples = [module_of(package), *(map(str, documents) if package == CORE else [])]
    # These are for packages that are not installed here.
    absent = [f"--ignore-glob=*/executors/{name}.py" for name in REEXPORTED]
    session.run(
        *("pytest", "-p", "doctest_folder", "--doctest-modules", "--doctest-glob=*.md"),
        *absent,
        *("--pyargs", *examples),
        env={"PYTHONPATH": str(ROOT / "checks")},
        success_codes=[0] if package == CORE else [0, 5],  # 5: a plugin may have no examples
    )


@nox.session(python=pythons(CORE)[0])
def minimums(session: nox.Session) -> None:
    """Run the tests of the core with the oldest versions that it declares."""
    wheel = build(session, CORE)
    # What has no wheel for this Python is not a version that anybody uses with it.
    oldest = ["--resolution=lowest-direct", "--only-binary=:all:"]
    session.install(*oldest, wheel, *declared(CORE))
    session.install(wheel, *requirements(CORE, "test"))
    session.run("uv", "pip", "list")
    run_tests(session, CORE)


@nox.session(python=COMMON)
def together(session: nox.Session) -> None:
    """Rechunk one array with the executors of all packages, installed side by side."""
    packages = [path for path in PACKAGES if fits(path, COMMON)]
    install(session, *packages)
    session.run("python", ROOT / "checks" / "together.py", *(path.name for path in packages))


@nox.session
@nox.parametrize("python,package", TWICE)
def tests(session: nox.Session, package: Path) -> None:
    """Run the tests of a package, in an environment that holds it, the core and no other."""
    absent = ", ".join(version for version in SUPPORTED if version not in FOUND) or "none"
    session.log(f"Pythons that are tested: {', '.join(pythons(package))}; not found: {absent}")
    install(session, package)
    run_tests(session, package)
