"""The same TLS and SASL for Faust's consumer as `Settings.librdkafka` gives to all other clients."""

from __future__ import annotations

import ssl
from typing import Any

import faust

from connectors.kit.errors import Misconfigured
from streams.runtime.settings import Settings, variable


def credentials(settings: Settings) -> Any:
    """Credentials as `faust.App` takes them; None for PLAINTEXT. Holds the password: never log it.

    Raises Misconfigured when one of the broker's PEM files is not there or not what its setting says.
    """
    context = _context(settings) if settings.broker_protocol.endswith("SSL") else None
    if settings.broker_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=settings.broker_username,
            password=settings.broker_password.get_secret_value(),
            mechanism=settings.broker_sasl_mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


def _context(settings: Settings) -> ssl.SSLContext:
    """Verifies certificate and host name, as librdkafka does by default."""
    ca, certificate, key = settings.broker_ca_file, settings.broker_certificate_file, settings.broker_key_file
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except OSError as error:  # SSLError is one
        named = (("broker_ca_file", ca), ("broker_certificate_file", certificate), ("broker_key_file", key))
        files = ", ".join(f"{variable(name)}={path}" for name, path in named if path is not None)
        raise Misconfigured(
            f"the brokers' TLS cannot be set up from {files}: {error}",
            hint="are the files mounted, readable and PEM, and do certificate and key belong together?",
        ) from error
    return context
