// The token that a server asks for: asked of the person once, kept until the tab is closed.

import { byId } from "../parts/dom.js";
import { t } from "../words/texts.js";

const KEPT = "covidct-token";

/** The header that shows the token; none where none is known. */
export function tokenHeaders() {
  const token = sessionStorage.getItem(KEPT);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Ask for the token, again where the last one was wrong. */
export function askToken() {
  if (sessionStorage.getItem(KEPT)) byId("token-hint").textContent = t("token.wrong");
  const dialog = byId("token");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  return new Promise((resolve) => {
    byId("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      // A header can carry nothing but visible ASCII.
      sessionStorage.setItem(KEPT, byId("token-input").value.replaceAll(/[^\x21-\x7e]/g, ""));
      byId("token-input").value = "";
      dialog.close();
      resolve();
    }, { once: true });
  });
}
