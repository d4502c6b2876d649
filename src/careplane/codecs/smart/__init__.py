"""SMART App Launch 2.2 on the wire: discovery, authorization, tokens, scopes, launch context, identity.

Everything here is pure: no request is sent, no clock read, no random number drawn. What the other side got wrong is an
:class:`~careplane.errors.InputError` that names the field, a token that does not hold a
:class:`~careplane.errors.TokenError`; neither holds a value that came with a person.
"""

from careplane.codecs.smart.app_scopes import app_scopes, launch_scopes
from careplane.codecs.smart.authorization import (
    AuthorizationAnswer,
    AuthorizationRequest,
    authorize_url,
    challenge_of,
    read_answer,
    verifier_fits,
)
from careplane.codecs.smart.configuration import SmartConfiguration, configuration_url, read_configuration
from careplane.codecs.smart.context import ContextItem, LaunchContext, read_context, relative_reference
from careplane.codecs.smart.identity import Identity, read_identity
from careplane.codecs.smart.introspection import Introspection, introspection_form, read_introspection
from careplane.codecs.smart.scopes import ResourceScope, Scopes, joined, read_scope, read_scopes
from careplane.codecs.smart.tokens import (
    TokenResponse,
    code_form,
    read_error,
    read_token,
    refresh_form,
    revocation_form,
)
from careplane.codecs.smart.urls import origin_of, secure_url

__all__ = [
    "AuthorizationAnswer",
    "AuthorizationRequest",
    "ContextItem",
    "Identity",
    "Introspection",
    "LaunchContext",
    "ResourceScope",
    "Scopes",
    "SmartConfiguration",
    "TokenResponse",
    "app_scopes",
    "authorize_url",
    "challenge_of",
    "code_form",
    "configuration_url",
    "introspection_form",
    "joined",
    "launch_scopes",
    "origin_of",
    "read_answer",
    "read_configuration",
    "read_context",
    "read_error",
    "read_identity",
    "read_introspection",
    "read_scope",
    "read_scopes",
    "read_token",
    "refresh_form",
    "relative_reference",
    "revocation_form",
    "secure_url",
    "verifier_fits",
]
