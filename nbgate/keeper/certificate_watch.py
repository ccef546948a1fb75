"""Look after the certificate in force: take its files when they were replaced, and warn before it ends.

A renewal needs no reload. A new pair is read and tested as a whole before any worker gets it; one that cannot be used
changes nothing and is told once. Nobody's files are written here but, through `load`, our own certificate's.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography import x509

from nbgate.audit.events import CertificateChange, CertificateExpiry, timestamp
from nbgate.clock import Clock
from nbgate.config.schema import Config
from nbgate.errors import NbgateError
from nbgate.keeper.audit import AuditLog
from nbgate.keeper.certificates import RENEW_BEFORE, own_path
from nbgate.keeper.expiry import ExpiryWarnings
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.pem import fingerprint
from nbgate.model.keys import TlsMaterial

Signature = tuple[tuple[int, ...] | None, ...]
_log = structlog.get_logger("nbgate.keeper")


class CertificateWatch:
    """Watches the files of a keeper's certificate; `look` is to be called now and again.

    Two files are rarely replaced in one moment: what does not fit is tried again at the next look before it is told.

    Args of the constructor:
        load: Reads and tests the certificate of a configuration, and renews it where it is our own; blocks.
        on_taken: Called with the fingerprint of a certificate that came into force.
    """

    def __init__(
        self,
        keeper: Keeper,
        load: Callable[[Config, datetime], TlsMaterial],
        audit: AuditLog,
        clock: Clock,
        *,
        on_taken: Callable[[str], None],
    ) -> None:
        self._keeper = keeper
        self._load = load
        self._audit = audit
        self._clock = clock
        self._on_taken = on_taken
        self._warnings = ExpiryWarnings()
        self._good: Signature | None = None
        self._suspect: Signature | None = None
        self._told: Signature | None = None

    async def look(self) -> None:
        """Take a certificate that was replaced; warn of the end of the one in force."""
        config = self._keeper.config
        seen = await asyncio.to_thread(signature_of, files_of(config))  # before they are read: the next look sees more
        if seen != self._good or self._is_to_be_renewed(config):
            await self._try(config, seen)
        self._warn()

    def _is_to_be_renewed(self, config: Config) -> bool:
        return not config.cert and self._ends() - self._now() <= RENEW_BEFORE

    async def _try(self, config: Config, seen: Signature) -> None:
        try:
            material = await asyncio.to_thread(self._load, config, self._now())
        except NbgateError as error:
            self._refuse(seen, error)
            return
        if self._keeper.config is not config:
            return  # a reload was faster: it has read them too
        self._good, self._suspect, self._told = seen, None, None
        if material != self._keeper.material:
            self._keeper.use_certificate(material)
            self._on_taken(fingerprint(material))
            self._record(CertificateChange, "the files changed: in force")
            _log.info("the certificate was replaced, the new one is in force", fingerprint=fingerprint(material))

    def _refuse(self, seen: Signature, error: NbgateError) -> None:
        if seen == self._suspect and seen != self._told:
            self._record(CertificateChange, f"the files changed: refused: {error.public}", outcome="failure")
            _log.error("certificate refused, the old one stays", problem=error.public, hint=error.hint)
            self._told = seen
        self._suspect = seen

    def _warn(self) -> None:
        text = self._warnings.due(self._ends(), self._now())
        if text:
            self._record(CertificateExpiry, f"the certificate {text}")
            _log.warning(f"the certificate {text}", hint="renew it: its files are looked at, no reload is needed")

    def _record(
        self, kind: type[CertificateChange | CertificateExpiry], message: str, *, outcome: str = "success"
    ) -> None:
        self._audit.append(
            kind(
                **self._audit.stamp(),
                outcome=outcome,
                message=message,
                certificate_sha256=fingerprint(self._keeper.material).replace(":", "").lower(),
                certificate_ends=timestamp(self._ends().timestamp()),
            )
        )

    def _ends(self) -> datetime:
        return x509.load_pem_x509_certificate(self._keeper.material.chain_pem).not_valid_after_utc

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.unix(), UTC)


def files_of(config: Config) -> tuple[Path, ...]:
    """Return the files that the certificate of `config` is read from."""
    if not config.cert:
        return (own_path(Path(config.data_dir)),)
    return tuple(map(Path, filter(None, (config.cert, config.key))))


def signature_of(files: tuple[Path, ...]) -> Signature:
    """Return what changes when one of `files` is written, replaced, moved away, or its owner or mode is changed."""
    return tuple(map(_signature, files))


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()  # of what a link points to: certbot and Kubernetes replace links
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
