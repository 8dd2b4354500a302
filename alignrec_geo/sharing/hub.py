"""The client of the Hugging Face Hub, and what goes wrong there as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from alignrec_geo.errors import FetchError, InputError
from alignrec_geo.reading import first_line
from alignrec_geo.sharing.address import Address, RepoType

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TOKEN = "a token with the right to do this comes from HF_TOKEN or 'hf auth login'"


def open_hub(token: str | None, endpoint: str | None) -> "HfApi":
    """The client, with the address and the token that its own variables name where none is given.

    Raises:
        InputError: it is not installed.
    """
    if find_spec("huggingface_hub") is None:
        raise InputError("the Hub needs huggingface_hub, which is not installed: pip install 'alignrec-geo[hub]'")
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint, token=token, library_name="alignrec-geo")


@contextmanager
def asking(address: Address, endpoint: str) -> Iterator[None]:
    """Turn every failure of the client into one line that names the address.

    Args:
        address: what is asked for.
        endpoint: where.

    Raises:
        InputError: no such repository or revision, a wrong token, no permission.
        FetchError: the Hub cannot be reached, a transfer broke off, or the Hub has a fault.
    """
    from huggingface_hub import errors

    where = f"{address} on {endpoint}"
    try:
        yield
    except errors.RevisionNotFoundError:
        raise InputError(f"{where}: has no revision '{address.revision or 'main'}'") from None
    except errors.GatedRepoError:
        raise InputError(
            f"{where}: is gated; ask its owner for access on its page. {TOKEN[0].upper()}{TOKEN[1:]}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise InputError(f"{where}: no such repository, or a private one; {TOKEN}") from None
    except errors.HFValidationError as error:
        raise InputError(f"{address}: no address on the Hub ({first_line(error)})") from None
    except errors.HfHubHTTPError as error:
        raise _refused(where, error) from None
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        raise _unreachable(where, error) from None
    except errors.LocalTokenNotFoundError:
        raise InputError(f"{where}: needs a token; {TOKEN}") from None
    except Exception as error:
        if not _of_transfer(error):
            raise
        raise _unreachable(where, error) from None


def _refused(where: str, error: Any) -> Exception:
    """An answer that is an error."""
    code = error.response.status_code
    said = first_line(ValueError(error.server_message or error.response.reason_phrase or "no reason given"))
    if code == 401:
        return InputError(f"{where}: the token was refused ({said}); {TOKEN}")
    if code in (402, 403):
        return InputError(f"{where}: the token may not do this ({said}); {TOKEN}")
    if code in (400, 409, 412, 413, 422):
        return InputError(f"{where}: refused: {said}")
    return FetchError(f"{where}: the Hub answered {code} ({said}); try again later")


def _of_transfer(error: BaseException | None) -> bool:
    """Whether an error is one of the client's HTTP library, or says that a transfer broke off."""
    while error is not None:
        if type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2", "requests"):
            return True
        if isinstance(error, OSError) and "onsistency check failed" in str(error):
            return True
        error = error.__cause__
    return False


def _unreachable(where: str, error: BaseException) -> FetchError:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if "OfflineModeIsEnabled" in (type(error).__name__, type(cause).__name__):
        return FetchError(f"{where}: HF_HUB_OFFLINE is set, so nothing can be asked or fetched")
    if "Connect" in type(cause).__name__ or "Timeout" in type(cause).__name__:
        return FetchError(
            f"{where}: cannot be reached ({first_line(cause)}); check the network, and HF_ENDPOINT if it is set"
        )
    return FetchError(f"{where}: the transfer broke off ({first_line(cause)}); give the command again, it goes on")


def repo_type(api: "HfApi", address: Address) -> RepoType:
    """The type of the repository, where the address does not say: asked of the Hub.

    Raises:
        InputError: there is none, or one of each type.
    """
    if address.type is not None:
        return address.type
    types: tuple[RepoType, RepoType] = ("model", "dataset")
    with asking(address, api.endpoint):
        there = [kind for kind in types if api.repo_exists(address.repo, repo_type=kind)]
    if len(there) == 2:
        raise InputError(
            f"{address}: there is a model and a data set of that name; write models/{address.repo} or "
            f"datasets/{address.repo}"
        )
    if not there:
        raise InputError(f"{address} on {api.endpoint}: no such repository, or a private one; {TOKEN}")
    return there[0]
