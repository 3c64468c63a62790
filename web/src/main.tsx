import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { makeQueryClient } from "./api/queries";
import { App } from "./app";
import { loadTexts, rememberedLanguage, Translated } from "./i18n";
import { readServerTime, watchDevice } from "./live";
import "./styles.css";

async function start(root: HTMLElement): Promise<void> {
  const client = makeQueryClient();
  watchDevice();
  void readServerTime();
  const texts = await loadTexts(rememberedLanguage()).catch(() => loadTexts("ko"));
  createRoot(root).render(
    <StrictMode>
      <Translated initial={texts}>
        <QueryClientProvider client={client}>
          <App />
        </QueryClientProvider>
      </Translated>
    </StrictMode>,
  );
}

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
void start(root);
