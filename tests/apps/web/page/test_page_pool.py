"""The workers that answer in the browser: how many, in which order, and where one does not start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from services.browsers import Handler, serving, visiting
from services.page_driver import GOOD, give, read, save, wait

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WORKER = "slice_worker.js"


class Counting(Handler):
    """A host that gives the workers' script so many times, and then no more."""

    asked: ClassVar[list[str]] = []
    given = 1

    def do_GET(self) -> None:
        if self.path.endswith(WORKER):
            self.asked.append(self.path)
            if len(self.asked) > self.given:
                self.send_error(503)
                return
        super().do_GET()


@pytest.mark.parametrize(("files", "workers"), [(1, 1), (12, 2)])
def test_a_second_worker_starts_where_there_is_work_for_it(
    browser: Browser, web_app: Path, files: int, workers: int
) -> None:
    class Host(Counting):
        asked: ClassVar[list[str]] = []
        given = 9

    with serving(web_app, handler=Host) as address, visiting(browser, address) as page:
        if workers > page.evaluate("navigator.hardwareConcurrency"):
            pytest.skip("one core")
        records = read(page, {f"{at:02}.png": GOOD for at in range(files)})
        assert [record["path"] for record in records] == [f"{at:02}.png" for at in range(files)]
        assert (len(Host.asked) > 1) == (workers > 1)


def test_the_model_starts_while_files_are_still_chosen(
    browser: Browser, web_app: Path, tmp_path: Path
) -> None:
    class Host(Counting):
        asked: ClassVar[list[str]] = []
        given = 9

    path = tmp_path / "1.png"
    path.write_bytes(GOOD)
    with serving(web_app, handler=Host) as address, visiting(browser, address) as page:
        assert not Host.asked
        with page.expect_file_chooser() as chosen:
            page.locator("label", has=page.locator("#pick-files")).click()
        for _ in range(2400):
            if Host.asked:
                break
            page.wait_for_timeout(50)
        chosen.value.set_files(path)
        wait(page)
        assert len(Host.asked) == 1
        assert [record["status"] for record in save(page)] == ["ok"]


def test_a_second_worker_that_does_not_start_is_done_without(browser: Browser, web_app: Path) -> None:
    class Host(Counting):
        asked: ClassVar[list[str]] = []

    with serving(web_app, handler=Host) as address, visiting(browser, address, faultless=False) as page:
        records = read(page, {f"{at:02}.png": GOOD for at in range(12)})
        assert [record["status"] for record in records] == ["ok"] * 12
        assert page.is_hidden("#notice")


def test_a_worker_that_cannot_start_at_all_is_told(browser: Browser, web_app: Path) -> None:
    class Host(Counting):
        asked: ClassVar[list[str]] = []
        given = 0

    with serving(web_app, handler=Host) as address, visiting(browser, address, faultless=False) as page:
        give(page, {"a.png": GOOD})
        page.wait_for_selector("#notice-text:has-text('Reading failed')")
        assert page.is_hidden("#work")


def test_results_keep_the_order_with_few_under_way(browser: Browser, app_address: str) -> None:
    with visiting(browser, app_address) as page:
        found = page.evaluate("""async () => {
          const { inOrder } = await import("./engine/local/in_order.js");
          let [running, most] = [0, 0];
          const work = async (ms) => {
            most = Math.max(most, ++running);
            await new Promise((go) => setTimeout(go, ms));
            running -= 1;
            if (ms === 7) throw new Error("seven");
            return ms;
          };
          const collect = async (items) => {
            const found = [];
            try {
              for await (const one of inOrder(items, 3, work)) found.push(one);
            } catch (error) {
              found.push(error.message);
            }
            return found;
          };
          return { all: await collect([40, 1, 30, 2, 20]), broken: await collect([30, 7, 1, 2, 3]), most };
        }""")
        assert found == {"all": [40, 1, 30, 2, 20], "broken": [30, "seven"], "most": 3}
