"""Ansible's amazon.aws modules: what they made they find again unchanged, and they take everything away."""

from pathlib import Path

import pytest

from tests.ansible import INSTALL_SECONDS, RUN_SECONDS, need_ansible, play
from tests.api.paper import Paper
from tests.api.test_terraform import url

__all__ = ["url"]  # a fixture

BOOKS = Path(__file__).parent / "ansible"


@pytest.mark.timeout(3 * RUN_SECONDS + INSTALL_SECONDS)
def test_a_second_run_changes_nothing_and_absent_cleans_up(paper: Paper, url: str, tmp_path: Path) -> None:
    need_ansible()
    (image, *_) = paper.client().describe_images(
        Owners=["amazon"], Filters=[{"Name": "name", "Values": ["amzn2-ami-hvm-*-x86_64-gp2"]}]
    )["Images"]

    first = play(BOOKS / "present.yml", url, tmp_path, image=image["ImageId"])
    second = play(BOOKS / "present.yml", url, tmp_path, image=image["ImageId"])
    last = play(BOOKS / "absent.yml", url, tmp_path, image=image["ImageId"])

    assert first["changed"] == first["ok"]
    assert second["changed"] == 0
    assert last["changed"] > 8
    assert not [call for call in paper.backend.calls if call.status >= 500]
    left = [r for r in paper.world if r.id.startswith(("vpc-", "eipalloc-")) and not getattr(r, "is_default", False)]
    assert left == []
