// Elements by id, made and filled. Text is always set as text, never as markup: names of files are anyone's.

/** The element with that id. */
export const byId = (id) => document.getElementById(id);

/** A new element with properties and children (elements or text). */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** A new SVG element with attributes and children. */
export function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Bring the answer into view where it stands below the list, as on a phone (the width is style.css's). */
export function showDetail() {
  // With the next frame, in which the list is drawn first: it pushes the answer down.
  requestAnimationFrame(() => matchMedia("(min-width: 60rem)").matches || byId("detail").scrollIntoView());
}
