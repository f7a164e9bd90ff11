"""The speaker's own Pod and ConfigurationState."""

from typing import TYPE_CHECKING, Final

from ferrolb.config import field_condition, rights_condition, speaker_condition
from ferrolb.kube import ConfigurationState, ForbiddenError, StateIdentity, find_owner
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ferrolb.config import ConfigError
    from ferrolb.kube import ApiClient, Change, PodOwner, RawObject, Rights
    from ferrolb.speaker.options import SpeakerOptions

_MANAGER: Final = "configReconciler"


class OwnPod:
    """The own Pod, asked for once; what the speaker writes goes when the Pod goes."""

    def __init__(self, client: "ApiClient", *, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._is_known = not name
        self._owner: PodOwner | None = None

    async def owner(self) -> "PodOwner | None":
        """Return the Pod as an owner of objects, None where there is no such Pod.

        Raises:
            ApiError: the API failed; ask again.
        """
        if not self._is_known:
            self._owner = await self._find()
            self._is_known = True
        return self._owner

    async def _find(self) -> "PodOwner | None":
        try:
            owner = await find_owner(self._client, namespace=self._namespace, pod=self._name)
        except ForbiddenError:
            owner = None
        if owner is None:
            get_logger().warning("own pod not found, its objects get no owner", pod=self._name)
        return owner


class OwnState:
    """Reports whether the configuration is valid, in `speaker-<node>`."""

    def __init__(
        self, client: "ApiClient", options: "SpeakerOptions", pod: OwnPod, rights: "Rights"
    ) -> None:
        self._client = client
        self._options = options
        self._pod = pod
        self._rights = rights
        self._state: ConfigurationState | None = None

    @staticmethod
    def name_for(node: str) -> str:
        """Return the name of a node's object."""
        return StateIdentity.for_speaker("", node=node).name

    async def report(self, errors: "Sequence[ConfigError]") -> bool:
        """Make the object say that the configuration is valid, or list its errors.

        Returns:
            False where that is not possible for now.

        Raises:
            ApiError: the API failed; report again.
        """
        if self._state is None:
            owner = await self._pod.owner()
            identity = StateIdentity.for_speaker(
                self._options.namespace,
                node=self._options.node_name,
                owner_name="" if owner is None else owner.name,
                owner_uid="" if owner is None else owner.uid,
            )
            self._state = ConfigurationState(self._client, identity)
        return await self._state.report(
            _MANAGER,
            [
                speaker_condition(errors),
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
