/** The console: signs in and out, and fills the sections. */

import { discard, interrupt, resume } from "./dialogs.js";
import { $ } from "./dom.js";
import { ask, forget, lasts, mayWrite, onSessionOver, take, tell } from "./gate.js";
import { clearKeys, newKey, showKeys, showMore } from "./keys.js";
import { showTokens } from "./tokens.js";
import { clearUsage, showUsage } from "./usage.js";

/** Back to the sign-in; what is on screen is kept, but nothing can be begun there. */
const signOut = (why) => {
  take(undefined);
  $("sign-in").hidden = false;
  $("close").hidden = $("lasts").hidden = true;
  for (const control of $("content").querySelectorAll("button, select")) control.disabled = true;
  $("refused").textContent = why;
  $("session").focus();
};

onSessionOver((why) => {
  interrupt();
  signOut(why);
});

const open = async (event) => {
  event.preventDefault();
  $("refused").textContent = "";
  take($("session").value.trim());
  try {
    const status = await ask("status");
    $("session").value = "";
    $("sign-in").hidden = true;
    $("content").hidden = $("close").hidden = $("lasts").hidden = false;
    // The controls that write are made new, or enabled, with the keys.
    $("key").disabled = $("period").disabled = $("more").disabled = false;
    const end = lasts();
    $("lasts").textContent = `Session${end ? ` until ${end.toLocaleTimeString()}` : ""}${mayWrite() ? "" : ", only reads"}`;
    $("tokens-heading").focus();
    resume();
    showTokens(status);
    await showKeys(status).catch((error) => tell($("keys-failed"), error));
    await showUsage();
  } catch (error) {
    if (error.status !== 401) signOut(error.message);
  }
};

/** Forgets the session and all that it showed. */
const close = () => {
  forget();
  discard();
  clearUsage();
  clearKeys();
  $("tokens").replaceChildren();
  $("lasts").textContent = $("usage-failed").textContent = "";
  $("session").value = "";
  $("content").hidden = true;
  signOut("");
};

document.querySelector("#sign-in form").onsubmit = open;
$("close").onclick = close;
$("key").onchange = $("period").onchange = showUsage;
$("more").onclick = () => showMore().catch((error) => tell($("keys-failed"), error));
$("new-key").onclick = newKey;
// A page that is kept for the back button would keep the session.
addEventListener("pagehide", close);
