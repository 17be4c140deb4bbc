"""`thoracle recipes`: the documented models that can be trained."""

from cli.output import Json, emit, table


def recipes(json_: Json = False) -> None:
    """The documented models that can be trained."""
    from services.trainer.recipe import recipes as registered

    rows = [
        {
            "recipe": name,
            "modality": recipe.modality.value,
            "finding": recipe.finding,
            "steps": [step.transform for step in recipe.pipeline],
            "runtime": recipe.engine,
        }
        for name, recipe in registered().items()
    ]
    if json_:
        emit({"recipes": rows})
        return
    columns = ("Recipe", "Kind", "Finding", "Reads its input by", "Runs on")
    table("Recipes", columns, [(*list(row.values())[:3], " → ".join(row["steps"]), row["runtime"]) for row in rows])
