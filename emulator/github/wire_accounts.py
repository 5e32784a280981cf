"""Users, organizations, repositories, Apps and installations as GitHub writes them in JSON. Pure.

The shapes are those of GitHub's OpenAPI description: simple-user, minimal-repository, repository, integration,
installation, installation-token.
"""

from typing import Any, Final

from emulator.github.accounts import (
    EVENTS,
    PERMISSIONS,
    App,
    Installation,
    InstallationToken,
    Organization,
    Repository,
    RunnerGroup,
)
from emulator.github.links import Links, node_id

USER_PARTS: Final = {
    "url": "",
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}

REPOSITORY_PARTS: Final = {
    "url": "",
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def account(login: str, number: int, links: Links, *, kind: str = "Organization") -> dict[str, Any]:
    """The schema simple-user, which serves organizations too."""
    at = f"{links.api}/users/{login}"
    return {
        "login": login,
        "id": number,
        "node_id": node_id(kind, number),
        "avatar_url": f"{links.public_url}/avatars/{number}",
        "gravatar_id": "",
        "html_url": f"{links.public_url}/{login}",
        "type": kind,
        "site_admin": False,
        **{name: at + part for name, part in USER_PARTS.items()},
    }


def owner_of(repository: Repository, links: Links) -> dict[str, Any]:
    return account(repository.owner, repository.owner_id, links)


def minimal_repository(repository: Repository, links: Links) -> dict[str, Any]:
    at = links.repository(repository)
    return {
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "owner": owner_of(repository, links),
        "private": repository.private,
        "html_url": links.repository_page(repository),
        "description": None,
        "fork": False,
        **{name: at + part for name, part in REPOSITORY_PARTS.items()},
    }


def whole_repository(repository: Repository, links: Links) -> dict[str, Any]:
    page = links.repository_page(repository)
    host = links.public_url.split("://", 1)[-1]
    born = links.moment(repository.created_at)
    return {
        **minimal_repository(repository, links),
        "clone_url": f"{page}.git",
        "git_url": f"git://{host}/{repository.full_name}.git",
        "ssh_url": f"git@{host}:{repository.full_name}.git",
        "svn_url": page,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "default_branch": "main",
        "visibility": "private" if repository.private else "public",
        "topics": [],
        "archived": False,
        "disabled": False,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "has_downloads": True,
        "has_issues": True,
        "has_pages": False,
        "has_projects": True,
        "has_wiki": True,
        "forks": 0,
        "forks_count": 0,
        "open_issues": 0,
        "open_issues_count": 0,
        "size": 0,
        "stargazers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "created_at": born,
        "pushed_at": born,
        "updated_at": born,
    }


def app(value: App, links: Links) -> dict[str, Any]:
    born = links.moment(value.created_at)
    return {
        "id": value.id,
        "slug": value.slug,
        "client_id": value.client_id,
        "node_id": node_id("Integration", value.id),
        "owner": account(value.owner, value.owner_id, links),
        "name": value.slug,
        "description": None,
        "external_url": links.public_url,
        "html_url": f"{links.public_url}/apps/{value.slug}",
        "created_at": born,
        "updated_at": born,
        "permissions": dict(PERMISSIONS),
        "events": list(EVENTS),
        "installations_count": 1,
    }


def installation(value: Installation, links: Links) -> dict[str, Any]:
    born = links.moment(value.created_at)
    return {
        "id": value.id,
        "client_id": value.app.client_id,
        "account": account(value.organization, value.organization_id, links),
        "repository_selection": "all",
        "access_tokens_url": f"{links.api}/app/installations/{value.id}/access_tokens",
        "repositories_url": f"{links.api}/installation/repositories",
        "html_url": f"{links.public_url}/organizations/{value.organization}/settings/installations/{value.id}",
        "app_id": value.app.id,
        "app_slug": value.app.slug,
        "target_id": value.organization_id,
        "target_type": "Organization",
        "permissions": dict(PERMISSIONS),
        "events": list(EVENTS),
        "created_at": born,
        "updated_at": born,
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None,
        "suspended_at": None,
    }


def installation_token(
    value: InstallationToken, repositories: list[Repository] | None, links: Links
) -> dict[str, Any]:
    """`repositories`: those that the token was narrowed to; None when it was not."""
    body = {
        "token": value.token,
        "expires_at": links.moment(value.expires_at),
        "permissions": dict(value.permissions),
        "repository_selection": "all" if repositories is None else "selected",
    }
    if repositories is None:
        return body
    return body | {"repositories": [whole_repository(repository, links) for repository in repositories]}


def runner_group(value: RunnerGroup, organization: Organization, links: Links) -> dict[str, Any]:
    at = f"{links.api}/orgs/{organization.login}/actions/runner-groups/{value.id}"
    body = {
        "id": value.id,
        "name": value.name,
        "visibility": "all" if value.repositories is None else "selected",
        "default": value.default,
        "runners_url": f"{at}/runners",
        "inherited": False,
        "allows_public_repositories": value.allows_public_repositories,
        "workflow_restrictions_read_only": False,
        "restricted_to_workflows": False,
        "selected_workflows": [],
    }
    return body if value.repositories is None else body | {"selected_repositories_url": f"{at}/repositories"}


def webhook_organization(organization: Organization, links: Links) -> dict[str, Any]:
    """The schema organization-simple-webhooks."""
    at = f"{links.api}/orgs/{organization.login}"
    return {
        "login": organization.login,
        "id": organization.id,
        "node_id": node_id("Organization", organization.id),
        "url": at,
        "repos_url": f"{at}/repos",
        "events_url": f"{at}/events",
        "hooks_url": f"{at}/hooks",
        "issues_url": f"{at}/issues",
        "members_url": f"{at}/members{{/member}}",
        "public_members_url": f"{at}/public_members{{/member}}",
        "avatar_url": f"{links.public_url}/avatars/{organization.id}",
        "description": None,
    }
