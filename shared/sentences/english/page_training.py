"""Pages: training runs, and versions side by side."""

SENTENCES = {
    "admin.training.help": "A run trains a recipe on a named data set, judges it on patients whom it has not seen, "
    "and publishes it as a candidate if its gates pass. Nothing answers with it until somebody promotes it.",
    "admin.runs": "Runs, newest first",
    "admin.runs.none": "Nothing was trained here yet.",
    "admin.runs.first": "Choose a recipe and a data set, and start the first run.",
    "admin.run": "Run",
    "admin.state": "State",
    "admin.begun": "Queued",
    "admin.run.queued": "Waiting",
    "admin.run.running": "Trains",
    "admin.run.succeeded": "Published",
    "admin.run.failed": "Not published",
    "admin.run.cancelled": "Cancelled",
    "admin.run.dead": "Given up",
    "admin.run.start": "Start a run",
    "admin.run.go": "Start",
    "admin.run.consequence": "It waits for a trainer and trains at low priority; studies are answered meanwhile as "
    "before. It can be cancelled at any time.",
    "admin.run.asleep": "No trainer is awake. The run waits until one is: 'thoracle up --trainer'.",
    "admin.run.no_data": "The trainer has no data set. Put a folder with an index.csv into THORACLE_DATASETS_DIR, "
    "or make one of verdicts with 'thoracle collect'.",
    "admin.run.field.recipe": "Recipe",
    "admin.run.field.dataset": "Data set",
    "admin.run.field.mode": "Mode",
    "admin.run.field.seed": "Seed",
    "admin.run.field.name": "Name of the version",
    "admin.run.field.epochs": "Epochs",
    "admin.run.field.folds": "Folds",
    "admin.run.dataset_help": "The names of folders that a trainer has.",
    "admin.run.name_help": "Letters, digits, point, dash and underscore. Made from mode and seed when empty.",
    "admin.run.more": "Instead of the recipe's own numbers",
    "admin.run.invalid": "This value cannot be used: {field}.",
    "admin.run.left": "about {minutes} minutes left",
    "admin.run.cancel": "Cancel the run",
    "admin.run.cancel_help": "It stops within an epoch and publishes nothing. It can be started again, from the "
    "beginning.",
    "admin.run.retry": "Train it again",
    "admin.run.retry_help": "From the beginning, with all its attempts. Its curves are drawn anew.",
    "admin.run.curves": "Curves",
    "admin.run.curves_help": "On the training draws, so they show whether it learns and not how good it is. The "
    "thick line is the stage that came last; a fold is trained without the patients that judge it.",
    "admin.run.no_curve": "Nothing was told yet. Classifiers without epochs tell little.",
    "admin.run.loss": "Loss",
    "admin.run.loss_alt": "Loss by epoch, one line for each stage",
    "admin.run.accuracy": "Accuracy",
    "admin.run.accuracy_alt": "Accuracy on the training draws by epoch, one line for each stage",
    "admin.run.accuracy_note": "Accuracy on the training draws",
    "admin.run.epoch": "Epoch",
    "admin.run.latest": "Latest: {stage}, epoch {epoch}, loss {loss}, accuracy {accuracy}.",
    "admin.run.about": "About this run",
    "admin.run.attempts": "Attempts",
    "admin.run.started": "Begun",
    # Versions side by side.
    "admin.side.help": "Two or three versions of one kind of input, by what their cards say. Every figure is of "
    "patients whom the version had not seen in training.",
    "admin.side.choose": "Choose versions",
    "admin.side.which": "Two or three",
    "admin.side.show": "Put side by side",
    "admin.side.too_few": "There are fewer than two versions of this kind. Train or import another one first.",
    "admin.side.how_many": "Choose two or three versions of one kind of input.",
    "admin.side.one_kind": "Choose versions of one kind of input: figures of different kinds say nothing about each "
    "other.",
    "admin.side.same": "They were judged on the same data by the same protocol, so their figures may be compared.",
    "admin.side.data": "They were judged on different data: a difference between figures may be a difference "
    "between data. Only studies that both answered compare them.",
    "admin.side.protocol": "They were judged by different protocols.",
    "admin.side.findings": "They look for different findings.",
    "admin.side.intervals": "In brackets the 95 % interval. Intervals that overlap do not tell which version is "
    "better.",
    "admin.side.drawn": "ROC and calibration",
    "admin.side.no_detail": "The card of {name} is from before these figures were kept: it has an operating point "
    "only.",
    "admin.roc": "ROC.",
    "admin.roc.note": "Cards keep the points that matter, not the whole curve: large is the operating point, small "
    "are rates where the other rate is fixed, each with its interval. Up and left is better; the dashed line is "
    "chance.",
    "admin.roc.alt": "Points of the ROC curves: sensitivity against one minus specificity, with intervals",
    "admin.roc.x": "1 − specificity",
    "admin.roc.y": "Sensitivity",
    "admin.roc.chance": "Chance",
    "admin.roc.operating": "{name}: operating point",
    "admin.calibration": "Calibration.",
    "admin.calibration.note": "How often the finding was there where a version told this probability, as the card's "
    "slope and intercept say. The dashed line is right; below it a version tells too much.",
    "admin.calibration.alt": "Calibration curves: how often the finding was there at each told probability",
    "admin.calibration.x": "Told probability of the finding",
    "admin.calibration.y": "Share with the finding",
    "admin.calibration.ideal": "As it should be",
    "admin.calibration.missing": "None of the cards holds a calibration slope, so no calibration can be drawn.",
    "admin.confusion": "Confusion at the operating point",
    "admin.confusion.help": "Counts of the judged inputs, out of fold, from the card's rates; the share is of its row.",
    "admin.confusion.with": "With it",
    "admin.confusion.without": "Without it",
    "admin.confusion.alt": "{name}: with the finding {hit} flagged and {missed} not; without it {false} flagged and "
    "{cleared} not",
}
