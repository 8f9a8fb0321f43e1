// The page works without this. With it: drop, paste and preview, answers in place, and the bits that differ.
"use strict";
const MOST_BYTES = 16 * 2 ** 20;
const find = (name) => document.querySelector(name);
let asking = null;                      // the request under way; a newer one ends it

async function ask(submitter) {
  const form = find("#ask"), said = document.body.dataset;
  const file = find("#image").files[0];
  if (file && file.size > MOST_BYTES) return tell(said.tooLarge);
  asking?.abort();
  asking = new AbortController();
  find("main").setAttribute("aria-busy", "true");
  find("#state").textContent = said.searching;
  const data = new FormData(form, submitter);
  if (data.get("item")) data.delete("image");         // what is asked for lies on the server
  const address = submitter?.getAttribute("formaction") || form.getAttribute("action");
  try {
    const reply = await fetch(address, {method: "POST", body: data, signal: asking.signal});
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    page.querySelector("#result") ? show(page, address) : tell(said.lost);
  } catch (error) {
    if (error.name !== "AbortError") tell(said.lost);
  }
}

function show(page, address) {
  const image = find("#image"), preview = find("#preview"), fresh = page.querySelector("#preview");
  if (!page.querySelector("#again").value) {                       // asked with a file: both stay as they are
    page.querySelector("#image").replaceWith(image);
    fresh.replaceWith(preview);
    preview.alt = fresh.alt;
  }
  document.documentElement.lang = page.documentElement.lang;
  document.title = page.title;
  document.body.replaceWith(page.body);
  history.replaceState(null, "", address);
  find("#result").focus({preventScroll: true});
  find("#result").scrollIntoView();
}

function tell(text) {
  find("main").removeAttribute("aria-busy");
  find("#state").textContent = "";
  const box = Object.assign(document.createElement("div"), {id: "problem"});
  box.setAttribute("role", "alert");
  box.append(Object.assign(document.createElement("h2"), {id: "result-title", textContent: document.body.dataset.problem}),
             Object.assign(document.createElement("p"), {textContent: text}));
  find("#result").replaceChildren(box);
}

function take(files) {
  const picture = [...files].find((file) => file.type.startsWith("image/")) || files[0];
  if (!picture) return;
  const list = new DataTransfer();
  list.items.add(picture);
  find("#image").files = list.files;
  chosen();
}

function chosen() {
  const file = find("#image").files[0], preview = find("#preview");
  if (!file) return;
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  find("#again").value = "";
  ask();
}

function mark(hit) {
  const strip = find("#code"), about = find("#differ"), {width} = strip.dataset;
  const own = strip.dataset.code, its = hit.dataset.code, differing = [];
  for (let bit = 0; bit < 4 * own.length; bit++) {
    const digit = Math.floor(bit / 4), place = 3 - bit % 4;
    if ((parseInt(own[digit], 16) ^ parseInt(its[digit], 16)) >> place & 1) differing.push(bit);
  }
  find("#marks").replaceChildren(...differing.map((bit) => {
    const wedge = document.createElementNS("http://www.w3.org/2000/svg", "path");
    wedge.setAttribute("d", `M${bit % width + .5} ${2 * Math.floor(bit / width) + 1.45}l.4 .5h-.8z`);
    return wedge;
  }));
  about.textContent = about.dataset.text.replace("{id}", hit.value || its)
    .replace("{bits}", differing.map((bit) => bit + 1).join(", ") || about.dataset.none);
}

function unmark() {
  find("#marks")?.replaceChildren();
  if (find("#differ")) find("#differ").textContent = find("#differ").dataset.note;
}

const hasQuery = () => find("#image").files.length || find("#again").value;
const on = (name, listen) => document.addEventListener(name, listen);
on("submit", (event) => { event.preventDefault(); ask(event.submitter); });
on("change", (event) => {
  if (event.target.id === "image") chosen();
  else if (event.target.name === "mode" && hasQuery()) ask();
});
on("paste", (event) => take(event.clipboardData.files));
on("dragover", (event) => { event.preventDefault(); find("#drop").classList.add("over"); });
on("dragleave", (event) => { if (!event.relatedTarget) find("#drop").classList.remove("over"); });
on("drop", (event) => { event.preventDefault(); find("#drop").classList.remove("over"); take(event.dataTransfer.files); });
for (const [enter, leave] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  on(enter, (event) => { const hit = event.target.closest?.(".hit"); if (hit) mark(hit); });
  on(leave, (event) => { if (event.target.closest?.(".hit")) unmark(); });
}
