"""What discovery answers (CDS Hooks 2.0, "Discovery"), with the fields that the 3.0 ballot adds."""

from collections.abc import Iterable

from careplane.errors import InputError
from careplane.records import JSON, Record


class Service(Record, frozen=True):
    """One service of one hook; the same ``id`` may come again for another hook.

    ``prefetch`` are templates by key. ``version`` is that of the service and ``hook_version`` that of the hook
    (3.0 ballot; clients of 2.0 ignore fields that they do not know).
    """

    id: str
    hook: str
    description: str
    title: str = ""
    prefetch: tuple[tuple[str, str], ...] = ()
    usage_requirements: str = ""
    version: str = ""
    hook_version: str = ""


def write_services(services: Iterable[Service]) -> JSON:
    """The body of discovery; optional fields without a value are left out, as the specification asks.

    Raises:
        InputError: a service lacks what must be there, or comes twice for the same hook.
    """
    seen: set[tuple[str, str]] = set()
    listed = []
    for service in services:
        if not (service.id.strip() and service.hook.strip() and service.description.strip()):
            raise InputError("a service needs an id, a hook and a description", field=service.id)
        if (service.id, service.hook) in seen:
            raise InputError(f"comes twice for the hook {service.hook}", field=service.id)
        seen.add((service.id, service.hook))
        listed.append(_service(service))
    return {"services": listed}


def _service(service: Service) -> JSON:
    optional = {
        "title": service.title,
        "prefetch": dict(service.prefetch),
        "usageRequirements": service.usage_requirements,
        "version": service.version,
        "hookVersion": service.hook_version,
    }
    named = {"hook": service.hook, "id": service.id, "description": service.description}
    return named | {name: value for name, value in optional.items() if value}
