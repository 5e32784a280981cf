"""Names that may become parts of URLs, secrets that hide, and the page cache's bound."""

import copy
import dataclasses
import pickle

import pytest

from github_api.etags import Page, PageCache
from github_api.secret import Secret
from github_api.values import JitConfiguration, Scope, ScopeKind


@pytest.mark.parametrize(
    ("name", "kind", "path"),
    [
        ("acme", ScopeKind.ORGANIZATION, "/orgs/acme"),
        ("acme/widgets", ScopeKind.REPOSITORY, "/repos/acme/widgets"),
        ("a-b_c/.github", ScopeKind.REPOSITORY, "/repos/a-b_c/.github"),
    ],
)
def test_a_scope_is_known_by_its_name(name: str, kind: ScopeKind, path: str) -> None:
    assert Scope.named(name).kind is kind
    assert Scope.named(name).path == path


@pytest.mark.parametrize(
    "name",
    ["", "/", "acme/", "/widgets", "a/b/c", "acme/..", "ac me", "acme?x", "-acme", "acme/wid gets", "a\n"],
)
def test_what_cannot_be_a_scope_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        Scope.named(name)


def test_a_secret_is_never_shown() -> None:
    secret = Secret("hunter2")
    held = JitConfiguration(runner_id=1, runner_name="a", encoded=secret)
    assert {str(secret), repr(secret), f"{secret}", f"{secret:>10}", f"{secret}"} == {"***"}
    assert "hunter2" not in repr(held)
    assert "hunter2" not in str(dataclasses.asdict(held))
    assert copy.deepcopy(secret) is copy.copy(secret) is secret
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)


def test_secrets_are_compared_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("ä")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_the_page_cache_forgets_the_least_recently_used() -> None:
    size = Page(etag="e", value="a", next_url=None).bytes
    cache = PageCache(most_bytes=2 * size)
    for url in ("a", "b"):
        cache.keep(1, url, Page(etag="e", value=url, next_url=None))
    cache.get(1, "a")
    cache.keep(1, "c", Page(etag="e", value="c", next_url=None))
    assert cache.get(1, "b") is None
    assert cache.get(1, "a") is not None
    assert (len(cache), cache.bytes) == (2, 2 * size)


def test_a_newer_token_empties_the_page_cache() -> None:
    cache = PageCache()
    page = Page(etag="e", value=1, next_url=None)
    cache.keep(1, "a", page)
    cache.keep(2, "b", page)
    cache.keep(1, "c", page)  # a late reply to the old token
    assert [cache.get(1, "a"), cache.get(2, "b"), cache.get(1, "c")] == [None, page, None]


def test_a_page_without_etag_is_not_kept() -> None:
    cache = PageCache()
    cache.keep(1, "a", Page(etag="e", value=1, next_url=None))
    cache.keep(1, "a", Page(etag=None, value=2, next_url=None))
    assert len(cache) == 0
