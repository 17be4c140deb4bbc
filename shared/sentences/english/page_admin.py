"""Pages: for those who look after the service."""

SENTENCES = {
    "admin.nav": "Administration",
    "admin.group.overview": "Overview",
    "admin.group.models": "Models",
    "admin.group.service": "Service",
    "admin.nav.overview": "Overview",
    "admin.nav.deployments": "Deployment",
    "admin.nav.side_by_side": "Side by side",
    "admin.nav.training": "Training",
    "admin.nav.system": "System",
    "admin.nav.webhooks": "Webhooks",
    "admin.nav.keys": "Keys and people",
    "admin.nav.audit": "Audit log",
}
