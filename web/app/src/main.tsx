/** Entry of the web app: decides by the address which page to show. The class page loads its own code on demand. */
import "./styles/index.css";
import { lazy, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { ErrorBoundary } from "./ErrorBoundary";
import { LandingPage } from "./LandingPage";
import { LostPage } from "./LostPage";

const ClassPage = lazy(() => import("./class/ClassPage"));
const RecordsPage = lazy(() => import("./records/RecordsPage"));

function App() {
  const { pathname } = window.location;
  if (pathname === "/") return <LandingPage />;
  if (pathname.startsWith("/c/")) {
    return (
      <Suspense fallback={<p className="loading">Opening the class…</p>}>
        <ClassPage />
      </Suspense>
    );
  }
  if (pathname === "/records") {
    return (
      <Suspense fallback={<p className="loading">Opening the records…</p>}>
        <RecordsPage />
      </Suspense>
    );
  }
  return <LostPage />;
}

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <ErrorBoundary>
      <App />
    </ErrorBoundary>
  </StrictMode>,
);
