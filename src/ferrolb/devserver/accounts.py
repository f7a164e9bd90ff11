"""ServiceAccounts as users: their names and groups."""

from typing import Final

from ferrolb.apimachinery import SERVICE_ACCOUNT_PREFIX
from ferrolb.devserver.names import name_problems_label, name_problems_subdomain

ACCOUNTS: Final = "system:serviceaccounts"
"""The group of all of them; with a namespace behind it, of those there."""


def account_user_name(namespace: str, name: str) -> str:
    """Return the user name of an account."""
    return f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, ...]:
    """Return the groups of every account of a namespace."""
    return (ACCOUNTS, f"{ACCOUNTS}:{namespace}")


def split_account(user_name: str) -> tuple[str, str] | None:
    """Return namespace and name of the account that a user name means; None: it means none."""
    if not user_name.startswith(SERVICE_ACCOUNT_PREFIX):
        return None
    namespace, colon, name = user_name.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
    if not colon or name_problems_label(namespace) or name_problems_subdomain(name):
        return None
    return namespace, name
