"""The controller's own ConfigurationState: whether the pools are valid, and why not (6.5)."""

from typing import TYPE_CHECKING, Final

from ferrolb.config import field_condition, pool_condition, rights_condition
from ferrolb.kube import (
    PODS,
    ConfigurationState,
    ForbiddenError,
    NotFoundError,
    StateIdentity,
    parse_object,
)
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ferrolb.config import ConfigError
    from ferrolb.controller.options import ControllerOptions
    from ferrolb.kube import ApiClient, Change, RawObject, Rights

STATE_NAME: Final = "controller"
"""Name of the object; the speakers' are `speaker-<node>`."""

_MANAGER: Final = "poolReconciler"


class OwnState:
    """Reports what the pool reconciler found; the object goes with the own Pod, if there is one."""

    def __init__(self, client: "ApiClient", options: "ControllerOptions", rights: "Rights") -> None:
        self._client = client
        self._options = options
        self._rights = rights
        self._state: ConfigurationState | None = None

    async def report(self, errors: "Sequence[ConfigError]") -> bool:
        """Make the object say that the configuration is valid, or list its errors.

        Returns:
            False where that is not possible for now.

        Raises:
            ApiError: the API failed; report again.
        """
        if self._state is None:
            identity = StateIdentity.for_controller(
                self._options.namespace,
                owner_name=self._options.pod_name,
                owner_uid=await self._pod_uid(),
            )
            self._state = ConfigurationState(self._client, identity)
        return await self._state.report(
            _MANAGER,
            [
                pool_condition(errors),
                field_condition(errors),
                rights_condition(self._rights.lines()),
            ],
        )

    def on_change(self, change: "Change[RawObject]", report_again: "Callable[[], None]") -> None:
        """Report again when the object came or went; changes of it are somebody's business."""
        if change.old is not None and change.new is not None:
            return
        if self._state is not None:
            self._state.forget()
        report_again()

    async def _pod_uid(self) -> str:
        name = self._options.pod_name
        if not name:
            return ""
        try:
            answer = await self._client.get(PODS.path(self._options.namespace, name))
        except (NotFoundError, ForbiddenError):
            get_logger().warning("own pod not found, its objects get no owner", pod=name)
            return ""
        metadata = parse_object(answer).get("metadata")
        return str(metadata.get("uid", "")) if isinstance(metadata, dict) else ""
