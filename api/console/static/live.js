// One stream of events for all tabs of a browser, which allows six connections to a server.
"use strict";
const tabs = new Map();
let source = null;

const say = message => { for (const tab of tabs.keys()) tab.postMessage(message); };

function open() {
  source = new EventSource("/console/live");
  source.onopen = () => say({state: "live"});
  source.onmessage = event => say({id: event.data});
  // What happened meanwhile is not known any more.
  source.addEventListener("gap", () => say({all: true}));
  source.onerror = () => {
    const refused = source.readyState === EventSource.CLOSED;
    say({state: refused ? "refused" : "lost"});
    if (!refused) return;
    source = null;
    setTimeout(look, 3000);
  };
}

// A tab that is hidden needs no events; once none is shown, there is no stream.
function look() {
  const shown = [...tabs.values()].some(Boolean);
  if (shown && !source) { open(); say({all: true}); }
  if (!shown && source) { source.close(); source = null; }
}

self.onconnect = event => {
  const tab = event.ports[0];
  tab.onmessage = ({data}) => {
    if (data.gone) tabs.delete(tab); else tabs.set(tab, data.shown);
    if (source && source.readyState === EventSource.OPEN) tab.postMessage({state: "live"});
    look();
  };
  tab.start();
};
