"""Pages: for those who look after the service."""

SENTENCES = {
    "admin.nav": "管理",
    "admin.group.overview": "概览",
    "admin.group.models": "模型",
    "admin.group.service": "服务",
    "admin.nav.overview": "概览",
    "admin.nav.deployments": "部署",
    "admin.nav.side_by_side": "并列比较",
    "admin.nav.training": "训练",
    "admin.nav.system": "系统",
    "admin.nav.webhooks": "Webhook",
    "admin.nav.keys": "密钥与人员",
    "admin.nav.audit": "审计日志",
}
