"""The command `thoracle`. Most of it speaks HTTP; the rest works on this machine and imports what it needs late."""

import typer

from cli.commands import (
    adjudications,
    batch,
    collect,
    compare,
    demo,
    doctor,
    drift,
    explain,
    feedback,
    jobs,
    keys,
    lineage,
    pointers,
    predict,
    recipes,
    reports,
    reproduce,
    retraining,
    runs,
    samples,
    spectrograms,
    submit,
    system,
    train,
    trial_reports,
    trials,
    up,
    versions,
    webhooks,
)
from cli.failures import Friendly

app = typer.Typer(
    name="thoracle",
    help="Asynchronous screening of chest X-rays, cough recordings and lung sounds. Research use only.",
    cls=Friendly,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("submit")(submit.submit)
app.command("predict")(predict.predict)
app.add_typer(batch.app, name="batch")
app.add_typer(jobs.app, name="jobs")
app.command("explain")(explain.explain)
app.add_typer(feedback.app, name="feedback")
app.add_typer(adjudications.app, name="adjudications")
app.command("adjudicate")(adjudications.adjudicate)
app.add_typer(versions.app, name="versions")
app.command("promote")(pointers.promote)
app.command("rollback")(pointers.rollback)
app.command("canary")(trials.canary)
app.command("shadow")(trials.shadow)
app.command("canary-report")(trial_reports.canary_report)
app.command("shadow-report")(trial_reports.shadow_report)
app.command("drift")(drift.drift)
app.add_typer(drift.app, name="alerts")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(keys.app, name="keys")
app.command("system")(system.system)
app.command("audit")(system.audit)
app.command("recipes")(recipes.recipes)
app.command("train")(train.train)
app.add_typer(runs.app, name="runs")
app.add_typer(retraining.app, name="retrain")
app.command("lineage")(lineage.lineage)
app.command("publish")(train.publish)
app.command("collect")(collect.collect)
app.command("spectrograms")(spectrograms.spectrograms)
app.command("validate")(reports.validate)
app.command("explore")(reports.explore)
app.command("evaluate")(reports.evaluate)
app.command("compare")(compare.compare)
app.command("reproduce")(reproduce.reproduce)
app.command("samples")(samples.samples)
app.command("doctor")(doctor.doctor)

if __name__ == "__main__":
    app()
