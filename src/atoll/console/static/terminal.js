// A terminal: what the shell says comes as server-sent events, what is typed goes by POST, one after another.
"use strict";
{
  const place = document.getElementById("terminal");
  if (place) {
    const { at, user, token, ended } = place.dataset;
    const terminal = new Terminal({ cursorBlink: true, fontSize: 13, scrollback: 5000, screenReaderMode: true,
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
      theme: { background: "#0b1216", foreground: "#dbe4e8", cursor: "#5fc3dc" } });
    const fit = new FitAddon.FitAddon();
    terminal.loadAddon(fit);
    terminal.open(place);
    fit.fit();

    const post = (path, fields) => fetch(at + path, {
      method: "POST", headers: { "X-Atoll-Token": token }, body: new URLSearchParams(fields) });
    const say = (text) => terminal.write(`\r\n\x1b[2m${text}\x1b[0m\r\n`);
    const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

    const start = async () => {
      const answer = await post("/open", { user, columns: terminal.cols, rows: terminal.rows });
      const said = await answer.json();
      if (!answer.ok) return say(said.error);
      const shell = `/${said.shell}`;
      const events = new EventSource(at + shell);
      events.onmessage = (event) => terminal.write(Uint8Array.from(atob(event.data), (c) => c.charCodeAt(0)));
      events.addEventListener("ended", () => { events.close(); say(ended); place.dataset.over = "yes"; });

      let typed = "", isSending = false;
      const send = async () => {
        if (isSending) return;
        isSending = true;
        while (typed) {
          const part = typed.slice(0, 8000);
          typed = typed.slice(8000);
          const sent = await post(`${shell}/type`, { text: base64(new TextEncoder().encode(part)) }).catch(() => null);
          if (!sent || !sent.ok) break;
        }
        isSending = false;
      };
      terminal.onData((text) => { typed += text; send(); });
      terminal.onResize(({ cols, rows }) => post(`${shell}/size`, { columns: cols, rows }));
      new ResizeObserver(() => fit.fit()).observe(place);
      terminal.focus();
    };
    start().catch((error) => say(String(error)));
  }
}
