// The progress of a run: its events move the list of stages; when the run pauses or ends, the page is loaded anew. Everything else works without a script.
"use strict";

function follow(list) {
  const now = document.getElementById("now");
  const warnings = document.getElementById("warnings");
  const events = new EventSource(list.dataset.events);

  events.addEventListener("step", (message) => {
    const step = JSON.parse(message.data);
    if (step.kind === "warning") {
      const line = document.createElement("li");
      line.textContent = step.message;
      warnings.append(line);
      return;
    }
    const row = [...list.children].find((item) => item.dataset.stage === step.stage);
    if (!row) return;
    const count = step.total ? ` ${step.done}/${step.total}` : "";
    if (step.message || count) row.querySelector("[data-said]").textContent = step.message + count;
    if (step.kind === "start") {
      for (const item of list.children) item.removeAttribute("aria-current");
      row.setAttribute("aria-current", "step");
      row.classList.remove("done");
      now.textContent = `${row.firstElementChild.textContent} …`;
    }
    if (step.kind === "end") row.classList.add("done");
  });

  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) {
      now.textContent = "The server no longer tells how far it is; load the page anew.";
    }
  });

  events.addEventListener("end", () => {
    events.close();
    window.location.reload();
  });
}

const stages = document.getElementById("stages");
if (stages) follow(stages);
