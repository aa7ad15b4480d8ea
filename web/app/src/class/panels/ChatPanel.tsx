/** What is written: to everybody where one is, to the teachers, to one person. Each message says how far it has come. */
import type { Class } from "@lyceum/sdk";
import {
  EllipsisVertical,
  Hourglass,
  LoaderCircle,
  MessageSquareReply,
  Pencil,
  Pin,
  PinOff,
  SendHorizontal,
  Trash2,
  TriangleAlert,
  X,
} from "lucide-react";
import { useEffect, useRef, useState, type KeyboardEvent, type SubmitEvent } from "react";
import { MenuButton, type MenuEntry } from "../../lib/Menu";
import {
  addressOf,
  conversationOf,
  sameAddress,
  useChatMemory,
  useUnread,
  type ConversationId,
} from "../chat";
import { refusalWords } from "../refusals";
import {
  useAct,
  useAll,
  useCan,
  useClass,
  useMySpace,
  useMyself,
  useNames,
  useOne,
  usePending,
} from "../state";
import { notableRole, spaceTitle, timeOfDay } from "../words";
import { Panel } from "./Panel";

interface Props {
  asSheet: boolean;
  conversation: ConversationId | null;
  onConversation: (conversation: ConversationId) => void;
  onClose: () => void;
}

export function ChatPanel({ asSheet, conversation, onConversation, onClose }: Props) {
  const space = useMySpace();
  const mine: ConversationId = `space:${space}`;
  const conversations = useConversations(mine, conversation);
  const shown = conversations.some(({ id }) => id === conversation) ? (conversation ?? mine) : mine;
  const unread = useUnread();

  return (
    <Panel title="Chat" testId="chat-panel" asSheet={asSheet} onClose={onClose}>
      {conversations.length > 1 && (
        <div className="tabs" role="tablist" aria-label="Conversations">
          {conversations.map(({ id, title }) => (
            <button
              key={id}
              role="tab"
              className="tab"
              aria-selected={id === shown}
              onClick={() => onConversation(id)}
              data-testid="conversation"
            >
              <span className="cut">{title}</span>
              {(unread.get(id) ?? 0) > 0 && (
                <span className="n">
                  {unread.get(id)}
                  <span className="vh"> unread</span>
                </span>
              )}
            </button>
          ))}
        </div>
      )}
      <Conversation
        key={shown}
        id={shown}
        title={conversations.find(({ id }) => id === shown)?.title ?? ""}
      />
    </Panel>
  );
}

function useConversations(
  mine: ConversationId,
  open: ConversationId | null,
): { id: ConversationId; title: string }[] {
  const messages = useAll("messages");
  const groups = useOne("breakouts")?.groups;
  const { id: me, entry } = useMyself();
  const names = useNames();
  const isLearner = entry?.role === "learner";
  const ids = new Set<ConversationId>([mine]);
  for (const { to } of messages.values()) ids.add(conversationOf(to, me));
  if (isLearner) ids.add("staff");
  if (entry !== undefined && ["instructor", "co_instructor", "teaching_assistant"].includes(entry.role))
    ids.add("staff");
  if (open?.startsWith("pair:") === true) ids.add(open);
  const title = (id: ConversationId) => {
    const to = addressOf(id);
    if (to.kind === "staff") return isLearner ? "Teachers" : "Staff";
    if (to.kind === "person") return names(to.person);
    if (to.space === "main") return id === mine ? "Everyone" : "Main room";
    return spaceTitle(to.space, groups);
  };
  return [...ids].map((id) => ({ id, title: title(id) }));
}

function Conversation({ id, title }: { id: ConversationId; title: string }) {
  const messages = useAll("messages");
  const { id: me } = useMyself();
  const pending = usePending();
  const memory = useChatMemory();
  const names = useNames();
  const mayModerate = useCan("chat.moderate");
  const list = useRef<HTMLDivElement>(null);
  const [replyTo, setReplyTo] = useState<number | null>(null);
  const [editing, setEditing] = useState<number | null>(null);
  const address = addressOf(id);
  const all = [...messages]
    .map(([seq, message]) => ({ seq: Number(seq), message }))
    .filter(({ message }) => conversationOf(message.to, me) === id)
    .sort((a, b) => a.seq - b.seq);
  const pinned = all.filter(({ message }) => message.pinned && message.status === "posted");
  const sending = pending.filter(
    (one) =>
      one.type === "chat.send" &&
      sameAddress((one.payload as Class.Commands["chat.send"]).to, address) &&
      !memory.arrived.has(one.id),
  );
  const refused = memory.refused.filter(({ payload }) => sameAddress(payload.to, address));
  const last = all.at(-1)?.seq ?? 0;
  const count = all.length + sending.length + refused.length;

  useEffect(() => memory.markRead(id, last), [memory, id, last]);
  useEffect(() => {
    list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [count]);

  const quoted = (seq: number | null | undefined) => {
    const message = seq == null ? undefined : messages.get(String(seq));
    return message === undefined ? null : `${names(message.author)}: ${message.body || "removed"}`;
  };

  return (
    <>
      {pinned.length > 0 && (
        <ul className="pinned">
          {pinned.map(({ seq, message }) => (
            <li key={seq}>
              <Pin className="i xs" aria-hidden="true" />
              <span className="grow cut">
                <b>{names(message.author)}:</b> {message.body}
              </span>
            </li>
          ))}
        </ul>
      )}
      <div className="msgs" ref={list} role="log" aria-label={`Messages: ${title}`} tabIndex={0}>
        {count === 0 && <p className="mut nothing">{emptyWords(address)}</p>}
        {all.map(({ seq, message }) =>
          editing === seq ? (
            <EditMessage key={seq} seq={seq} body={message.body} onDone={() => setEditing(null)} />
          ) : (
            <MessageView
              key={seq}
              seq={seq}
              message={message}
              quote={quoted(message.reply_to)}
              mayModerate={mayModerate}
              onReply={() => setReplyTo(seq)}
              onEdit={() => setEditing(seq)}
            />
          ),
        )}
        {refused.map(({ id, payload, outcome }) => (
          <RefusedMessage key={id} id={id} payload={payload} why={refusalWords(outcome)} />
        ))}
        {sending.map((one) => (
          <article className="msg" key={one.id} data-testid="message" data-state="sending">
            <p className="who">
              <b>You</b>
            </p>
            <p dir="auto">{(one.payload as Class.Commands["chat.send"]).body}</p>
            <p className="state">
              <LoaderCircle className="i xs" aria-hidden="true" />
              {one.sent ? "Sending…" : "Waiting to send. It goes out when you are back."}
            </p>
          </article>
        ))}
      </div>
      <Composer
        address={address}
        title={title}
        replyTo={replyTo}
        quote={quoted(replyTo)}
        onReplyDone={() => setReplyTo(null)}
      />
    </>
  );
}

interface MessageProps {
  seq: number;
  message: Class.Message;
  quote: string | null;
  mayModerate: boolean;
  onReply: () => void;
  onEdit: () => void;
}

function MessageView({ seq, message, quote, mayModerate, onReply, onEdit }: MessageProps) {
  const { id: me } = useMyself();
  const names = useNames();
  const author = useOne("participants", message.author ?? "");
  const maySend = useCan("chat.send");
  const window = useOne("session")?.policy.chat_edit_window_ms ?? 0;
  const { clock } = useClass();
  const act = useAct();
  const isMine = message.author === me;
  const role = author === undefined ? "" : notableRole(author.role);
  const deleted = message.status === "deleted";

  const entries: MenuEntry[] = [];
  if (!deleted && maySend && message.status === "posted") {
    entries.push({ word: "Reply", icon: MessageSquareReply, run: onReply });
  }
  if (!deleted && isMine && maySend && clock.serverNow() < message.at + window) {
    entries.push({ word: "Edit", icon: Pencil, run: onEdit });
  }
  if (!deleted && mayModerate && message.status === "posted") {
    entries.push({
      word: message.pinned ? "Unpin" : "Pin",
      icon: message.pinned ? PinOff : Pin,
      run: () => void act("chat.pin", { message: seq, pinned: !message.pinned }),
    });
  }
  if (!deleted && (isMine || mayModerate)) {
    entries.push({
      word: "Delete",
      icon: Trash2,
      danger: true,
      run: () => void act("chat.delete", { message: seq }),
    });
  }

  return (
    <article
      className={message.status === "held" ? "msg held" : "msg"}
      data-testid="message"
      data-state={message.status}
      data-seq={seq}
    >
      <p className="who">
        <b dir="auto" className="cut">
          {names(message.author)}
        </b>
        {role !== "" && <span className="role">{role}</span>}
        <time dateTime={new Date(message.at).toISOString()}>{timeOfDay(message.at)}</time>
        {message.edited_at !== null && !deleted && <span className="mut">edited</span>}
        {entries.length > 0 && (
          <MenuButton
            label="What to do with this message"
            className="ib sm"
            entries={entries}
            testId="message-menu"
          >
            <EllipsisVertical className="i xs" aria-hidden="true" />
          </MenuButton>
        )}
      </p>
      {quote !== null && !deleted && <p className="re cut">{quote}</p>}
      {deleted ? (
        <p className="mut">This message was removed.</p>
      ) : (
        <p className="body" dir="auto">
          {message.body}
        </p>
      )}
      {message.status === "held" && (
        <div className="state">
          <Hourglass className="i xs" aria-hidden="true" />
          <span className="grow">{isMine ? "Held until a teacher approves it." : "Waits for approval."}</span>
          {mayModerate && (
            <>
              <button className="btn small" onClick={() => void act("chat.reject", { message: seq })}>
                Reject
              </button>
              <button className="btn small main" onClick={() => void act("chat.approve", { message: seq })}>
                Approve
              </button>
            </>
          )}
        </div>
      )}
    </article>
  );
}

function RefusedMessage({
  id,
  payload,
  why,
}: {
  id: string;
  payload: Class.Commands["chat.send"];
  why: string;
}) {
  const memory = useChatMemory();
  const connection = useClass();
  return (
    <article className="msg refused" data-testid="message" data-state="refused">
      <p className="who">
        <b>You</b>
      </p>
      <p className="body" dir="auto">
        {payload.body}
      </p>
      <p className="state">
        <TriangleAlert className="i xs" aria-hidden="true" />
        <span className="grow">Not sent. {why}</span>
      </p>
      <p className="row">
        <button
          className="btn small"
          onClick={() => {
            memory.forget(id);
            void connection.command("chat.send", payload);
          }}
        >
          Send again
        </button>
        <button className="btn small quiet" onClick={() => memory.forget(id)}>
          Throw away
        </button>
      </p>
    </article>
  );
}

function EditMessage({ seq, body, onDone }: { seq: number; body: string; onDone: () => void }) {
  const [text, setText] = useState(body);
  const act = useAct();
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  function save(event: SubmitEvent) {
    event.preventDefault();
    if (text.trim() !== "" && text !== body) void act("chat.edit", { message: seq, body: text.trim() });
    onDone();
  }
  return (
    <form className="msg edit" onSubmit={save}>
      <textarea
        ref={field}
        className="input"
        aria-label="Edit your message"
        rows={2}
        dir="auto"
        maxLength={4000}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          onDone();
        }}
      />
      <p className="row">
        <button className="btn small main">Save</button>
        <button type="button" className="btn small quiet" onClick={onDone}>
          Leave it
        </button>
      </p>
    </form>
  );
}

interface ComposerProps {
  address: Class.To;
  title: string;
  replyTo: number | null;
  quote: string | null;
  onReplyDone: () => void;
}

/** What was typed and not sent, by conversation: closing the panel loses nothing. */
const drafts = new Map<string, string>();

function Composer({ address, title, replyTo, quote, onReplyDone }: ComposerProps) {
  const connection = useClass();
  const maySend = useCan("chat.send");
  const mayWriteAlone = useCan("chat.dm");
  const draftKey = JSON.stringify(address);
  const [text, setText] = useState(() => drafts.get(draftKey) ?? "");
  const field = useRef<HTMLTextAreaElement>(null);
  const moderated = useOne("session")?.policy.chat === "moderated";

  useEffect(() => {
    if (replyTo !== null) field.current?.focus();
  }, [replyTo]);

  if (!(address.kind === "person" ? maySend && mayWriteAlone : maySend)) {
    return (
      <p className="composer-off" data-testid="chat-closed">
        You may read here, not write. The teacher decides.
      </p>
    );
  }

  function change(now: string) {
    setText(now);
    drafts.set(draftKey, now);
  }

  function send() {
    const body = text.trim();
    if (body === "") return;
    void connection.command("chat.send", {
      to: address,
      body,
      ...(replyTo === null ? {} : { reply_to: replyTo }),
    });
    change("");
    onReplyDone();
  }

  function handleKey(event: KeyboardEvent) {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {quote !== null && (
        <p className="replying">
          <span className="cut grow">Answering {quote}</span>
          <button type="button" className="ib sm" aria-label="Answer nothing" onClick={onReplyDone}>
            <X className="i xs" aria-hidden="true" />
          </button>
        </p>
      )}
      <div className="row">
        <textarea
          ref={field}
          className="input"
          data-testid="chat-input"
          rows={1}
          dir="auto"
          maxLength={4000}
          placeholder={placeholderOf(address, title, moderated)}
          aria-label={placeholderOf(address, title, moderated)}
          value={text}
          onChange={(event) => change(event.target.value)}
          onKeyDown={handleKey}
        />
        <button className="btn main send" aria-label="Send" title="Send (Enter)" data-testid="chat-send">
          <SendHorizontal className="i s flip" aria-hidden="true" />
        </button>
      </div>
    </form>
  );
}

function placeholderOf(to: Class.To, title: string, moderated: boolean): string {
  if (to.kind === "staff") return "Write to the teachers";
  if (to.kind === "person") return `Write to ${title} alone`;
  const where = to.space === "main" ? "Write to everyone" : `Write to ${title}`;
  return moderated ? `${where} (a teacher looks first)` : where;
}

function emptyWords(to: Class.To): string {
  if (to.kind === "staff") return "Nothing yet. Only teachers and assistants read this.";
  if (to.kind === "person") return "Nothing yet. Only the two of you read this.";
  return "Nothing was written here yet.";
}
