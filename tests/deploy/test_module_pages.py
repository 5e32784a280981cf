"""Each module and example has a page, and its tables name every input and output as the files have them."""

import pytest

from tests.deploy import module_pages, tree


@pytest.mark.parametrize("path", tree.FOLDERS)
def test_the_page_holds_the_tables_that_the_files_make(path: str) -> None:
    page = module_pages.page(path).read_text()
    assert module_pages.tables(path) in page, "python -m tests.deploy.module_pages writes them anew"
