"""Pictures of plans: text and HTML say what the plan says, whatever its names and chunks are."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import zarr
from cases import about
from hypothesis import given
from hypothesis import strategies as st
from plan_strategies import Case, cases
from zarr.storage import MemoryStore

import rechunker
from rechunker import RechunkPlan, plan_rechunk
from rechunker.pictures import Division
from rechunker.pictures.drawing import drawing
from rechunker.pictures.html import fragment

HUGE = 10**9
HOSTILE = ("<script>alert(1)</script>", "\"'/><img src=x onerror=alert(1)>", "&amp;\x00\x1b[31m\n")
SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """Tags, attributes and texts of some HTML, whose elements must all be closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.open += [] if tag == "meta" else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "pre"):
            self.texts.append(data)


def svgs(html: str) -> list[str]:
    parts = html.split("<svg")[1:]
    return [f"<svg{part.partition('</svg>')[0]}</svg>" for part in parts]


def source(shape: tuple[int, ...], chunks: tuple[int, ...], **kwargs: Any) -> zarr.Array[Any]:
    return zarr.create_array(MemoryStore(), shape=shape, chunks=chunks, dtype="f8", **kwargs)


def planned(of: Any, chunks: Any, max_mem: str, **kwargs: Any) -> Any:
    kwargs = {"temp_store": MemoryStore(), "executor": "python", **kwargs}
    return rechunker.rechunk(of, chunks, max_mem, MemoryStore(), **kwargs)


def lines(plan: object) -> dict[str, str]:
    rows = (line[2:].split(":", 1) for line in repr(plan).splitlines() if line.startswith("* "))
    return {name.strip(): text.strip() for name, text in rows}


@given(cases() | cases(irregular=True))
def test_every_plan_can_be_shown(case: Case) -> None:
    plan = case.plan(4 * case.largest_unit + 100)
    html = plan._repr_html_()
    assert len(svgs(html)) == plan.hops + 2
    for svg in svgs(html):
        assert ET.fromstring(svg).tag == f"{SVG}svg"
    Page(plan.to_html())


@given(cases() | cases(irregular=True))
def test_text_says_what_the_plan_says(case: Case) -> None:
    plan = case.plan(4 * case.largest_unit + 100)
    shown = lines(plan)
    tasks = " + ".join(f"{stage.tasks:,}" for stage in plan.stages)
    assert f"{tasks} task" in shown["Stages"]
    assert f"read {plan.read_amplification:.2f} times" in shown["Stages"]
    assert shown["Requests"].startswith(f"{sum(s.gets for s in plan.stages):,} read")
    assert f"{sum(s.puts for s in plan.stages):,} write" in shown["Requests"]
    assert (shown["Temp space"] == "none") == (plan.hops == 0)


SHAPES: list[tuple[tuple[int, ...], tuple[Any, ...]]] = [
    ((), ()),
    ((0,), (5,)),
    ((0, 5, 7), (1, 2, 7)),
    ((HUGE,), (1,)),
    ((HUGE, HUGE), (1, 1)),
    ((HUGE, HUGE, HUGE), (7, 1, HUGE)),
    ((HUGE, 1, 1), (1, 1, 1)),
    ((HUGE,) * 4, (3,) * 4),
    ((HUGE,) * 12, (1,) * 12),
    ((500500,), (tuple(range(1, 1001)),)),
]


def test_drawings_stay_small() -> None:
    for shape, grid in SHAPES:
        inner = tuple(1 for _ in grid)
        for within in (None, inner) if all(isinstance(n, int) for n in grid) else (None,):
            with about(shape, grid, within):
                svg = drawing(Division("source", shape, grid, 7, str(grid)[:80], within))
                assert len(svg) < 20_000 / 6  # an array has six of them with four hops
                ET.fromstring(svg)


def test_plans_of_many_hops_stay_small() -> None:
    plan = plan_rechunk((10**6, 10**6), (1, 10**6), (10**6, 1), 8, "17MB")
    assert plan.hops >= 2
    assert sum(map(len, svgs(plan._repr_html_()))) < 20_000


def test_names_are_shown_and_not_run() -> None:
    group = zarr.create_group(MemoryStore())
    for name in ("<script>alert(1)<", "a\"'><img src=x onerror=alert(1)>"):
        array = group.create_array(
            name, shape=(8, 8, 8), chunks=(1, 8, 8), dtype="i4", dimension_names=HOSTILE
        )
        array[...] = 1
    plain = Page(planned(group_of("x", "y"), None, "1MB").to_html())
    for html in (planned(group, None, "1MB").to_html(), planned(array, (8, 1, 1), "1MB").to_html()):
        page = Page(html)
        assert page.tags <= plain.tags
        assert page.names <= plain.names
        for svg in svgs(html):
            ET.fromstring(svg)
    assert "<script>alert(1)<" in Page(planned(group, None, "1MB").to_html()).texts


def group_of(*names: str) -> zarr.Group:
    group = zarr.create_group(MemoryStore())
    for name in names:
        group.create_array(name, shape=(8, 8, 8), chunks=(1, 8, 8), dtype="i4")
    return group


@given(st.text(max_size=40))
def test_any_name_makes_good_xml(name: str) -> None:
    division = Division("source", (4, 5), (1, 5), 4, name)
    assert ET.fromstring(drawing(division, (name, name))).find(f"{SVG}title") is not None


def test_a_name_cannot_steer_a_terminal() -> None:
    group = group_of("a", "b\x1b[31m\r")
    text = repr(planned(group, None, "1MB"))
    assert "b\\x1b[31m\\r" in text
    assert text.replace("\n", "").isprintable()


def test_chunks_and_shards_of_both_sides_are_shown() -> None:
    array = source((80, 60), (2, 60), shards=(8, 60), dimension_names=("time", "x"))
    plan = planned(array, (80, 6), "1MB", target_options={"shards": (80, 12)})
    assert lines(plan)["Chunks"] == "(2, 60) in shards (8, 60) -> (80, 6) in shards (80, 12)"
    assert lines(plan)["Size"] == "38.4 kB, 10 shards -> 5 shards"
    html = plan._repr_html_()
    assert "rk-inner" in svgs(html)[0]
    assert ">time 80<" in svgs(html)[-1]


def test_a_plan_with_hops_shows_its_temporary_objects() -> None:
    plan = planned(source((400, 400), (1, 400)), (400, 1), "120kB")
    (of,) = plan.copy_plan.values()
    assert of.hops == 1
    shown = lines(plan)
    assert shown["Stages"].startswith("source -> temp -> target")
    assert shown["Temp space"] == "1.28 MB, free again at the end"
    assert f"{of.stages[0].puts:,} temp objects" in plan._repr_html_()


def test_whether_it_was_executed_is_shown() -> None:
    plan = planned(source((8, 8), (1, 8)), (8, 1), "1MB")
    assert lines(plan)["Executed"] == "no"
    plan.execute()
    assert plan.report is not None
    assert lines(plan)["Executed"].endswith(plan.report.began)
    assert f"executed: in {plan.report.seconds:.3g} seconds" in plan.to_html()


def test_a_group_is_shown_in_few_lines() -> None:
    plan = planned(group_of(*(f"array{i:02}" for i in range(25))), {"*": (8, 1, 1)}, "1MB")
    text = repr(plan).splitlines()
    assert len(text) < 25
    assert text[-1] == "  and 15 smaller arrays"
    assert "51.2 kB in 25 arrays" in lines(plan)["Size"]
    page = Page(plan.to_html())
    assert {f"array{i:02}" for i in range(25)} <= {*page.texts}


def test_the_largest_arrays_are_shown() -> None:
    group = group_of(*(f"small{i:02}" for i in range(60)))
    group.create_array("zlarge", shape=(80, 80), chunks=(1, 80), dtype="i4")
    plan = planned(group, None, "1MB")
    assert "  zlarge " in repr(plan)
    page = Page(plan.to_html())
    assert "zlarge" in page.texts
    assert "and 21 smaller arrays" in page.texts


def test_time_of_a_group_is_that_of_its_work() -> None:
    """As long as the longest array at least, and no longer than one array after the other."""
    plan = planned(group_of("a", "b", "c"), {"*": (8, 1, 1)}, "1MB")
    costs = [each.cost for each in plan.copy_plan.values()]
    assert max(costs) <= plan._figures().seconds <= sum(costs) * 1.001


def test_a_page_needs_nothing_else(tmp_path: Path) -> None:
    html = planned(source((8, 8), (1, 8)), (8, 1), "1MB").to_html()
    assert html.startswith("<!DOCTYPE html>")
    page = Page(html)
    assert {"html", "head", "body", "title", "svg"} <= page.tags
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert not page.names & {"src", "href", "onload", "onclick"}
    assert "url(" not in html
    assert "@import" not in html


def test_without_style_the_text_is_left() -> None:
    """Some viewers of notebooks drop the style; then the text is read, and nothing twice."""
    plan = planned(source((8, 8), (1, 8)), (8, 1), "1MB")
    before, _, after = plan._repr_html_().partition('<pre class="rk-text">')
    assert "rk-rich" not in before.partition("</style>")[2]
    assert after.startswith("&lt;Rechunked&gt;")
    # What stays of a style is at the element.
    assert '<div class="rk-rich" style="display:none">' in after
    assert ".rk-rich { display: block !important; }" in before


@pytest.mark.parametrize("of", ["repr", "html"])
def test_what_has_no_run_can_be_shown(of: str) -> None:
    bare = rechunker.Rechunked(rechunker.plugins.get_executor("python"), None, "s", None, "t")
    text = repr(bare) if of == "repr" else fragment(bare._figures())
    assert "Chunks" not in text
    assert "Source" in text


def test_a_plan_is_shown_by_its_figures() -> None:
    plan: RechunkPlan = plan_rechunk((2920, 361), (40, 361), (2920, 10), 4, "1MB")
    assert repr(plan).splitlines()[0] == "<RechunkPlan>"
    assert lines(plan)["Shape"] == "(2920, 361)"
    assert "Executed" not in lines(plan)
