"""`thoracle recipes`: the documented models that can be trained."""

from cli.output import Json, listed


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
    columns = ("Recipe", "Kind", "Finding", "Reads its input by", "Runs on")
    lines = [(*list(row.values())[:3], " → ".join(row["steps"]), row["runtime"]) for row in rows]
    listed({"recipes": rows}, "Recipes", columns, lines, as_json=json_)
