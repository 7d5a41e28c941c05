"""The paper in brief: the numbers beside its findings are those that its tables print."""

from studylib.book import brief, scoreboard
from tests.book.test_scoreboard import rows_of


def test_the_numbers_of_the_findings_are_the_papers():
    assert brief.over_time() == "clip@1: R2D 45.4, f-R2D 46.8; R3D and mixed 48.5 to 50.4"
    assert brief.best() == "clip@1 52.4 against 49.3, video@1 63.9 against 61.2; 33.3 and 33.4 M parameters"
    # (49.2 + 50.4 + 49.6 + 49.4) / 4, (49.0 + 48.9 + 49.2 + 48.5) / 4
    assert brief.mixed() == "clip@1, mean over x: 49.65 and 48.90"
    assert brief.sports() == "video@1 73.0 on RGB, 73.3 with both streams; best other 71.7 (Conv pooling)"
    assert brief.kinetics().endswith("RGB 74.3 against 72.1, flow 68.5 against 65.3, both 75.4 against 75.7")
    assert brief.transfer() == "both streams: UCF101 97.3 against 98.0, HMDB51 78.7 against 80.7"


def test_each_finding_leads_to_its_chapter():
    rows = rows_of(brief.findings_table())
    assert len(rows) == len(brief.findings()) == 10
    assert {page for _, _, page in brief.findings()} <= set(scoreboard.TITLES)
    assert all(all(cells) for cells in rows)
