/** The console: signs in and out, and fills the sections. */

import { discard, interrupt, resume } from "./dialogs.js";
import { $ } from "./dom.js";
import { ask, forget, lasts, mayWrite, onSessionOver, take, tell } from "./gate.js";
import { clearKeys, newKey, showKeys, showMore } from "./keys.js";
import { showTokens } from "./tokens.js";
import { clearUsage, showUsage } from "./usage.js";

/** Shows the sign-in. The content stays visible, with its controls disabled. */
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
    // `showKeys` makes or enables the controls that write.
    $("key").disabled = $("period").disabled = $("more").disabled = false;
    const end = lasts();
    $("lasts").textContent = `Session${end ? ` until ${end.toLocaleTimeString()}` : ""}${mayWrite() ? "" : ", read-only"}`;
    $("tokens-heading").focus();
    resume();
    showTokens(status);
    await showKeys(status).catch((error) => tell($("keys-failed"), error));
    await showUsage();
  } catch (error) {
    if (error.status !== 401) signOut(error.message);
  }
};

/** Forgets the session and everything that it showed. */
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
// Otherwise a page that the browser keeps for its back button would keep the session.
addEventListener("pagehide", close);
