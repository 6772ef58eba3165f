"""A plot shows every row, names what is hidden, says the finding in words, keeps text as text, and never changes."""

import re
from io import BytesIO
from xml.etree import ElementTree

import pytest
from PIL import Image

from analysis import plots
from analysis.plots.sheet import text_width, wrap
from analysis.plots.svg import SVG, inline

BAND = "DỮ LIỆU MÔ PHỎNG – SIMULATED DATA"
COUNTER = "Kết quả khảo sát tại quầy; không thay thế Chỉ số SIPAS do Bộ Nội vụ công bố."
NASTY = [
    "<script>alert(1)</script>",
    "A & B \"quoted\" 'too'",
    "$x^2$ \\frac",
    "x" * 400,
    "Ễ Ộ Ậ 漢字",
    "nul\x00 \x1b tab\t",
]


def wording(name: str = "scores", band: str = BAND, title: str = "Đất đai dưới mốc 85") -> plots.Wording:
    return plots.Wording(name, title, "Chỉ số tại quầy (top2, pooled)", f"n = 512. {COUNTER}", "Đất đai: 79,00", band)


def scores(labels: list[str], hidden: set[int] = frozenset(), **words: str) -> plots.Drawing:
    lines = [
        plots.ScoreLine(
            label,
            None if row in hidden else plots.Point(90 - row, 88 - row, 92 - row, "cannot_tell"),
            "không công bố: chưa đủ tin cậy",
            (f"{90 - row},00", "chưa đủ bằng chứng", "512", "410"),
        )
        for row, label in enumerate(labels)
    ]
    headers = ("chỉ số (%)", "so với mốc", "n", "n hiệu dụng")
    return plots.draw_scores(
        wording(**words),
        lines,
        headers,
        axis=lambda floor: f"trục từ {floor:.0f}",
        reference=85,
        reference_label="mốc 85",
    )


def factors(labels: list[str]) -> plots.Drawing:
    panels = [
        plots.FactorPanel(
            name, tuple(None if row == 1 else plots.Point(80.0, 78.0, 82.0) for row in range(len(labels)))
        )
        for name in ("Tiếp cận dịch vụ", "Thủ tục hành chính", "Phản ánh, kiến nghị")
    ]
    rows = [(label, row == 0) for row, label in enumerate(labels)]
    return plots.draw_factors(
        wording("factors"), rows, panels, axis=lambda floor: f"từ {floor:.0f}", reference=85, hidden="ẩn"
    )


def responses(labels: list[str]) -> plots.Drawing:
    lines = [plots.ResponseLine(label, 50, 400, ("50", "400", "12,50")) for label in labels]
    return plots.draw_responses(
        wording("responses"), lines, ("phiếu", "hồ sơ", "tỷ lệ"), axis="hồ sơ", count=lambda value: f"{value:.0f}"
    )


def weights(classes: list[plots.WeightClass]) -> plots.Drawing:
    mean = 7.0 if classes else None
    return plots.draw_weights(
        wording("weights"), classes, mean, axis="trọng số", mean_label="trung bình 7", empty="không có",
        count=lambda value: f"{value:.0f}",
    )  # fmt: skip


def centres(labels: list[str]) -> plots.Drawing:
    lines = [
        plots.ScoreLine(
            label, plots.Point(90 - row / 5, 88 - row / 5, 92 - row / 5, "above"), "", (f"{90 - row / 5:.1f}",)
        )
        for row, label in enumerate(labels)
    ]
    return plots.draw_centres(
        wording(),
        lines,
        axis=lambda floor: f"trục từ {floor:.0f}",
        reference=85,
        reference_label="mốc 85",
        empty="chưa trung tâm nào",
    )


def every_plot(labels: list[str]) -> list[plots.Drawing]:
    return [
        scores(labels),
        factors(labels),
        responses(labels),
        weights([plots.WeightClass(low, low + 1, 10 * low) for low in range(1, 12)]),
    ]


def words_of(svg: str) -> str:
    """Everything a reader sees, joined without the line breaks of wrapping."""
    texts = [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{{{SVG}}}text")]
    return " ".join(" ".join(texts).split())


@pytest.mark.parametrize("drawing", every_plot(["Toàn tỉnh", "Hộ tịch"]), ids=lambda drawing: drawing.name)
class TestEveryPlot:
    def test_has_title_and_description_for_screen_readers(self, drawing: plots.Drawing) -> None:
        root = ElementTree.fromstring(drawing.svg)
        title, desc = root[0], root[1]
        assert (title.tag, title.text) == (f"{{{SVG}}}title", "Đất đai dưới mốc 85")
        assert (desc.tag, desc.text) == (f"{{{SVG}}}desc", "Đất đai: 79,00")
        assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"

    def test_says_finding_method_source_and_simulation_in_real_text(self, drawing: plots.Drawing) -> None:
        said = words_of(drawing.svg)
        for sentence in ("Đất đai dưới mốc 85", "Chỉ số tại quầy (top2, pooled)", COUNTER, BAND):
            assert sentence in said

    def test_fetches_nothing_and_carries_no_date(self, drawing: plots.Drawing) -> None:
        without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", drawing.svg)
        assert "http" not in without_namespaces
        assert "metadata" not in drawing.svg
        assert all(link.startswith(f"#{drawing.name}-") for link in re.findall(r'href="([^"]*)"', drawing.svg))

    def test_ids_are_the_plots_own(self, drawing: plots.Drawing) -> None:
        ids = [element.get("id") for element in ElementTree.fromstring(drawing.svg).iter() if element.get("id")]
        assert len(ids) == len(set(ids))
        assert all(one in {f"plot-{drawing.name}"} or one.startswith(f"{drawing.name}-") for one in ids)

    def test_png_has_twice_the_pixels_of_the_svg(self, drawing: plots.Drawing) -> None:
        points = float(ElementTree.fromstring(drawing.svg).get("width", "0pt").removesuffix("pt"))
        assert Image.open(BytesIO(drawing.png)).width == pytest.approx(2 * points * 96 / 72, abs=2)

    def test_inline_form_names_no_address(self, drawing: plots.Drawing) -> None:
        assert "http" not in inline(drawing.svg)
        assert inline(drawing.svg).startswith("<svg")


def test_same_rows_give_the_same_bytes() -> None:
    first, second = scores(["Toàn tỉnh", "Hộ tịch"]), scores(["Toàn tỉnh", "Hộ tịch"])
    assert (first.svg, first.png) == (second.svg, second.png)


def test_a_wave_that_is_not_simulated_has_no_band() -> None:
    assert BAND not in words_of(scores(["Hộ tịch"], band="").svg)


def test_hidden_cells_are_named_in_their_row() -> None:
    said = words_of(scores(["Toàn tỉnh", "Hộ tịch"], hidden={1}).svg)
    assert said.count("không công bố: chưa đủ tin cậy") == 1
    assert said.count("Hộ tịch") == 1


def test_axis_begins_below_every_interval_and_says_where() -> None:
    assert "trục từ 70" in words_of(scores(["a"]).svg)
    assert "trục từ 40" in words_of(scores([str(row) for row in range(40)]).svg)


@pytest.mark.parametrize("name", NASTY)
def test_names_are_shown_as_text(name: str) -> None:
    for drawing in (scores([name]), factors([name, name]), responses([name]), scores(["a"], title=name)):
        root = ElementTree.fromstring(drawing.svg)
        assert not list(root.iter(f"{{{SVG}}}script"))
        assert root.find(f".//{{{SVG}}}text") is not None
    short = " ".join(name.split()).replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
    if len(short) < 30:
        assert short in words_of(scores([name]).svg)


@pytest.mark.parametrize(
    "labels", [["Toàn tỉnh"], [f"Lĩnh vực {number}" for number in range(30)]], ids=["one", "thirty"]
)
def test_any_number_of_rows_is_drawn(labels: list[str]) -> None:
    for drawing in every_plot(labels)[:3]:
        assert all(label in words_of(drawing.svg) for label in labels)


def test_a_hundred_and_twenty_five_centres_fit_a_page() -> None:
    """Every name and value is there, in two columns, on a sheet no higher than a printed A4 page of the same width."""
    labels = [f"Trung tâm {number}" for number in range(125)]
    drawing = centres(labels)
    said = words_of(drawing.svg)
    assert all(f"{label} " in f"{said} " for label in labels) and said.count("mốc 85") >= 2
    root = ElementTree.fromstring(drawing.svg)
    width, height = (float(root.get(name, "0pt").removesuffix("pt")) for name in ("width", "height"))
    assert height / width < 1.4
    assert words_of(centres(labels[:9]).svg).count("mốc 85") < said.count("mốc 85")


def test_everything_hidden_or_empty_is_still_drawn() -> None:
    assert "chưa trung tâm nào" in words_of(centres([]).svg)
    assert words_of(scores(["a", "b"], hidden={0, 1}).svg).count("không công bố") == 2
    assert "không có" in words_of(weights([]).svg)
    assert "Đất đai" in words_of(responses([]).svg)


@pytest.mark.parametrize("text", ["một hai ba bốn năm sáu bảy tám chín mười", "x" * 300, "", " \n "])
@pytest.mark.parametrize("width", [0.5, 2.0])
def test_wrapped_lines_fit_their_width(text: str, width: float) -> None:
    lines = wrap(text, width, most=2)
    assert 1 <= len(lines) <= 2
    assert all(text_width(line) <= width for line in lines)
