"""Pages: around everything."""

SENTENCES = {
    "page.skip": "Skip to the content",
    "page.nav": "Main",
    "page.where": "Where you are",
    "page.worklist": "Worklist",
    "page.batches": "Batches",
    "page.versions": "Model versions",
    "page.language": "Language",
    "page.language.en": "English",
    "page.language.zh": "中文",
    "page.sign_in": "Sign in",
    "page.sign_out": "Sign out",
    "page.signed_out": "You were signed out. Sign in again to see the result; nothing is lost.",
    "page.code": "Code",
    "page.request": "Request",
    "page.what_it_is": "Thoracle compares chest X-rays, cough recordings and lung sounds with known ones, "
    "to support clinicians in research.",
    "page.key": "Your API key",
    "page.key_help": "An administrator gives you a key or a one-time link. The key begins with thk_.",
    "page.key_unknown": "This key is not known here, or is no longer valid. Check that it was copied whole.",
    "page.link_ready": "This link signs you in once. Press the button to use it.",
    "page.error.401": "Please sign in",
    "page.error.403": "Not for your role",
    "page.error.404": "Nothing here",
    "page.error.other": "That did not work",
    "page.error.server": "Something went wrong on our side",
    "page.not_yours": "This page is for those who look after the service. The worklist and the model versions are open "
    "to you.",
    "page.no_patients": "Your role sees no patients' studies. Model versions are open to you.",
}
