"use strict";

const api = "/api/v1";

async function ask(method, path, body, headers) {
  const json = body !== undefined && !(body instanceof Blob);
  const response = await fetch(path, {
    method,
    headers: { ...(json ? { "Content-Type": "application/json" } : {}), ...headers },
    body: json ? JSON.stringify(body) : body,
  });
  return response;
}

async function problemOf(response) {
  try {
    return (await response.json()).detail;
  } catch {
    return `the server answered ${response.status}`;
  }
}

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

function size(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let place = 0;
  while (bytes >= 1024 && place < 3) { bytes /= 1024; place += 1; }
  return `${place ? bytes.toFixed(1) : bytes} ${units[place]}`;
}

/* A part that got lost is sent again from where the server says that the file ends. */
async function sendFile(upload, file, blob, state, sent) {
  let offset = file.received;
  let failures = 0;
  while (offset < blob.size) {
    if (state.stopped) throw new Error("given up");
    const part = blob.slice(offset, offset + upload.part_bytes);
    let response = null;
    try {
      response = await ask("PATCH", `${api}/uploads/${upload.id}/files/${file.number}`, part, { "Upload-Offset": String(offset) });
    } catch { /* the network: asked again below */ }
    if (response !== null && response.status === 204) {
      offset = Number(response.headers.get("Upload-Offset"));
      failures = 0;
      sent(offset);
      continue;
    }
    if (response !== null && response.status < 500 && ![409, 429].includes(response.status)) throw new Error(await problemOf(response));
    failures += 1;
    if (failures > 20) throw new Error(response === null ? "the server cannot be reached" : await problemOf(response));
    await pause(response !== null && response.headers.has("Retry-After") ? Number(response.headers.get("Retry-After")) : Math.min(failures, 5));
    try {
      const now = await ask("GET", `${api}/uploads/${upload.id}`);
      if (now.ok) offset = (await now.json()).files[file.number].received;
    } catch { /* still not there */ }
  }
}

async function uploadAll(chosen, view) {
  const total = chosen.reduce((sum, one) => sum + one.file.size, 0);
  view.say("Starting the upload", 0);
  const made = await ask("POST", `${api}/uploads`, { files: chosen.map((one) => ({ path: one.path, size: one.file.size })) });
  if (!made.ok) throw new Error(await problemOf(made));
  const upload = await made.json();
  view.state.upload = upload.id;
  let before = 0;
  for (const [number, one] of chosen.entries()) {
    await sendFile(upload, upload.files[number], one.file, view.state, (here) => {
      view.say(`${one.path}: ${size(before + here)} of ${size(total)}`, total ? (before + here) / total : 1);
    });
    before += one.file.size;
  }
  const scan = await ask("POST", `${api}/uploads/${upload.id}/scan`, undefined, { "Idempotency-Key": upload.id });
  if (!scan.ok) throw new Error(await problemOf(scan));
  window.location.assign(`/scans/${(await scan.json()).id}`);
}

/* What was dropped may hold folders; their files come in the end, with their paths. */
async function filesOf(entry, path) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    return [{ path: path + entry.name, file }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) break;
    for (const one of some) found.push(...(await filesOf(one, `${path}${entry.name}/`)));
  }
  return found;
}

function prepareUpload(form) {
  const progress = document.getElementById("progress");
  const text = document.getElementById("progress-text");
  const bar = document.getElementById("progress-bar");
  const failure = document.getElementById("failure");
  const files = document.getElementById("files");
  const folder = document.getElementById("folder");
  const view = {
    state: { stopped: false, upload: null },
    say(words, share) { text.textContent = words; bar.value = share; },
  };
  document.getElementById("folder-choice").hidden = false;
  document.getElementById("drop-hint").hidden = false;

  async function begin(chosen) {
    if (!chosen.length) return;
    failure.hidden = true;
    progress.hidden = false;
    form.hidden = true;
    view.state.stopped = false;
    try {
      await uploadAll(chosen, view);
    } catch (error) {
      progress.hidden = true;
      form.hidden = false;
      failure.hidden = false;
      failure.textContent = `The upload failed: ${error.message}`;
      if (view.state.upload) ask("DELETE", `${api}/uploads/${view.state.upload}`);
    }
  }

  const listed = (input) => [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  folder.addEventListener("change", () => { files.required = !folder.files.length; });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin([...listed(files), ...listed(folder)]);
  });
  document.getElementById("give-up").addEventListener("click", () => { view.state.stopped = true; });
  for (const name of ["dragenter", "dragover"]) form.addEventListener(name, (event) => { event.preventDefault(); form.classList.add("over"); });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", async (event) => {
    event.preventDefault();
    form.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
    const plain = [...event.dataTransfer.files].map((file) => ({ path: file.name, file }));
    const found = [];
    for (const entry of entries) found.push(...(await filesOf(entry, "")));
    begin(found.length ? found : plain);
  });
}

function follow(section) {
  const text = document.getElementById("follow-text");
  const source = new EventSource(`${api}/scans/${section.dataset.scan}/events`);
  source.addEventListener("scan", (event) => {
    const scan = JSON.parse(event.data);
    if (["done", "failed", "cancelled"].includes(scan.state)) {
      source.close();
      window.location.reload();
    } else if (scan.state === "queued") {
      text.textContent = `Number ${scan.queue_position} in the queue`;
    } else if (scan.progress) {
      text.textContent = `${scan.progress.phase} ${scan.progress.file || ""} (${size(scan.progress.bytes)} read)`;
    } else {
      text.textContent = "Starting";
    }
  });
  source.addEventListener("gone", () => { source.close(); window.location.assign("/scans"); });
}

const form = document.getElementById("upload");
if (form) prepareUpload(form);
const section = document.getElementById("follow");
if (section) follow(section);
