// The page's sentences, in one file a language (texts/*.json). Knows nothing of what they say.

import { byId } from "../parts/dom.js";

export const LANGUAGES = { en: "English", es: "Español", fr: "Français" };
const KEPT = "covidct-language";

let current = {};
let language = "en";

/** Load a language's texts, by default the one chosen before or the browser's, and fill the page with them. */
export async function loadTexts(wanted = remembered() ?? preferred()) {
  language = wanted in LANGUAGES ? wanted : "en";
  const response = await fetch(new URL(`../texts/${language}.json`, import.meta.url));
  current = await response.json();
  document.documentElement.lang = language;
  fillPage();
}

/** Remember the language on this device; nothing else is. */
export function rememberLanguage(wanted) {
  try {
    localStorage.setItem(KEPT, wanted);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

/** The language's code. */
export const currentLanguage = () => language;

/** A text, its {names} filled; the key where there is none. */
export function t(key, values = {}) {
  const text = current[key] ?? key;
  return text.replaceAll(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Name and value, with the colon as the language sets it. */
export const pair = (name, value) => t("pair", { name, value });

/** Whether there is a text under the key. */
export const hasText = (key) => key in current;

/** A text for a count: KEY.one or KEY.other. */
export function count(key, number, values = {}) {
  const form = new Intl.PluralRules(language).select(number) === "one" ? "one" : "other";
  return t(`${key}.${form}`, { n: formatNumber(number), ...values });
}

/** A share in [0, 1] as a percentage; never rounded to certainty. */
export function percent(share, digits = 0) {
  const shown = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits });
  const min = 10 ** -(digits + 2);
  if (share > 0 && share < min) return `<\u00A0${shown.format(min)}`;
  if (share < 1 && share > 1 - min) return `>\u00A0${shown.format(1 - min)}`;
  return shown.format(share);
}

/** A number as the language writes it, with at most and at least so many digits after the point. */
export function formatNumber(value, digits = 0, min = 0) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: min }).format(value);
}

function fillPage() {
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  byId("language").value = language;
}

function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function preferred() {
  return navigator.languages.map((name) => name.split("-")[0]).find((name) => name in LANGUAGES);
}
