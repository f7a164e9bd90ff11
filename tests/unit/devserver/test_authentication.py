"""Who sends a request, by its token or the lack of one."""

import pytest

from ferrolb.devserver.authentication import ADMINISTRATOR, ANONYMOUS, Authenticator
from ferrolb.devserver.identity_reviews import user_info
from ferrolb.devserver.statuses import ApiError


@pytest.mark.parametrize("has_anonymous", [False, True])
def test_the_administrator_is_known_by_the_token(has_anonymous):
    authenticator = Authenticator("right", has_anonymous=has_anonymous)
    assert authenticator.identify({"authorization": "Bearer right"}) == ADMINISTRATOR
    assert "system:masters" in ADMINISTRATOR.groups


@pytest.mark.parametrize("has_anonymous", [False, True])
@pytest.mark.parametrize("token", ["wrong", "right-and-more", "r\udcffght"])
def test_an_unknown_token_is_refused_whether_or_not_one_is_needed(has_anonymous, token):
    authenticator = Authenticator("right", has_anonymous=has_anonymous)
    with pytest.raises(ApiError) as caught:
        authenticator.identify({"authorization": f"Bearer {token}"})
    assert caught.value.refusal.code == 401
    assert token not in caught.value.refusal.message


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic right"}, {"authorization": "Bearer "}]
)
def test_who_shows_no_token_is_anonymous_only_where_that_is_let_in(headers):
    found = Authenticator("right", has_anonymous=True).identify(headers)
    assert found == ANONYMOUS
    assert found.groups == ("system:unauthenticated",)
    with pytest.raises(ApiError) as caught:
        Authenticator("right").identify(headers)
    assert caught.value.refusal.code == 401


def test_an_empty_member_of_a_user_is_not_shown():
    assert user_info(ANONYMOUS) == {
        "username": "system:anonymous",
        "groups": ["system:unauthenticated"],
    }
