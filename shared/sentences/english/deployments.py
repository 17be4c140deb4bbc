"""Moves of a pointer, and the gates before them."""

SENTENCES = {
    "generation_stale": "Somebody else moved this pointer meanwhile. Look at it again, then decide.",
    "not_prepared": "Not every worker has this version loaded and proven yet. They are loading it: ask again shortly.",
    "version_refused": "This version cannot be used: {why}",
    "version_invalid": "The version's files, card or golden samples do not agree.",
    "nothing_prepared": "No version is being prepared.",
    "self_approval": "You proposed this promotion yourself. Another person has to approve it, whichever key you use.",
    "two_persons": "Promotions need two named persons here. Use a key that belongs to a person.",
    "proposal_over": "This proposal was approved, withdrawn or replaced meanwhile.",
    "gates_not_passed": "Some gates did not pass. A person may override them: send 'override' with the reason.",
    "override_needs_person": "Only a named person may override a gate, with a key or session of their own.",
    "gate.comparison.paired": "Of {n:.0f} judged inputs that both versions answered, the share of right answers "
    "differs by {value:+.3f} ({low:+.3f} to {high:+.3f}), paired.",
    "gate.comparison.cards": "On the same {n:.0f} files the AUROC differs by {value:+.3f} ({low:+.3f} to {high:+.3f}); "
    "the interval takes the two as independent, which is too wide.",
    "gate.comparison.nothing_active": "No version is active that it could be compared with.",
    "gate.comparison.nothing_shared": "They were trained on different data, and no judged input was answered by both.",
    "gate.calibration.right": "Out of fold the probabilities are off by {error:.3f} on average; the slope is "
    "{slope:.2f} ({low:.2f} to {high:.2f}).",
    "gate.calibration.off": "Out of fold the probabilities are off by {error:.3f} on average; the slope is {slope:.2f} "
    "({low:.2f} to {high:.2f}), and chance does not explain it.",
    "gate.calibration.wide": "Too few files to tell: the probabilities are off by {error:.3f} on average; the slope is "
    "{slope:.2f} ({low:.2f} to {high:.2f}).",
    "gate.calibration.unmeasured": "The card holds no slope of the calibration; it is off by {error:.3f} on average.",
    "gate.parity.same": "{proved:.0f} of {of:.0f} that will answer gave the golden samples' answers as at publishing.",
    "gate.parity.differs": "One that should answer gave other answers to the golden samples, or found an altered file.",
    "gate.parity.unproved": "Only {proved:.0f} of {of:.0f} that will answer have proved the golden samples.",
    "gate.subgroups.alike": "On every source sensitivity and specificity are within 0.10 of all of them together.",
    "gate.subgroups.worse": "On {source} a rate is {value:.2f}, where it is {all:.2f} on all sources together.",
    "gate.subgroups.small": "Some source is too small to show that it is no worse than the others.",
    "gate.subgroups.one": "It was tested on one source, so nothing is known of others.",
    "gate.shortcuts.beaten": "Its AUROC is {model:.2f}; that of the best trivial reading, {control}, {reached:.2f}.",
    "gate.shortcuts.as_good": "A trivial reading, {control}, has AUROC {reached:.2f}; the model {model:.2f}.",
    "gate.shortcuts.near": "A trivial reading of the files may do as well: {control} has AUROC {reached:.2f}, the "
    "model {model:.2f}.",
    "gate.shortcuts.none": "No trivial reading of the files was tried.",
    "nothing_tried": "No version is being tried out here.",
    "already_active": "This version is active already.",
    "version_not_recalled": "This version was not recalled; its results stand.",
    "nothing_to_roll_back_to": "There is no earlier version to go back to.",
    "finding_mismatch": "This version looks for another finding than the deployment.",
}
