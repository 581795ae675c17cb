/** Connections of an HTTP server, and which of them wait for an answer. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { timerMs } from '../timer-ms.js';

/** Ends connections when a server does. */
interface Connections {
  /** Ends those without a request under way now, and the others once they have their answers. */
  endIdle(): void;
  /** Ends all, those too whose TLS handshake was never done. */
  destroyAll(): void;
}

/** Node counts a connection that never sent anything as busy, and clients keep such ones in reserve. */
const trackConnections = (server: Server | TlsServer): Connections => {
  /** Requests under way on each. */
  const busy = new Map<Socket, number>();
  const raw = new Set<Socket>();
  let isEnding = false;
  server.on('connection', (socket: Socket) => {
    raw.add(socket);
    socket.once('close', () => raw.delete(socket));
  });
  // With TLS, requests are on the sockets that came after the handshake.
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    busy.set(socket, 0);
    socket.once('close', () => busy.delete(socket));
  });
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    busy.set(socket, (busy.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = (busy.get(socket) ?? 1) - 1;
      if (busy.has(socket)) busy.set(socket, left);
      if (isEnding && left === 0) socket.end();
    });
  });
  return {
    endIdle: () => {
      isEnding = true;
      for (const [socket, requests] of busy) if (requests === 0) socket.destroy();
    },
    destroyAll: () => {
      for (const socket of raw) socket.destroy();
    },
  };
};

/**
 * What ends an application that does not listen yet. It waits for answers that are under way, but not for clients that never take
 * them: milliseconds at most.
 */
export const closerOf = (app: FastifyInstance): ((graceMs: number) => Promise<void>) => {
  const connections = trackConnections(app.server);
  return async (graceMs) => {
    const timer = setTimeout(() => {
      connections.destroyAll();
    }, timerMs(graceMs));
    try {
      const closed = app.close();
      connections.endIdle();
      await closed;
    } finally {
      clearTimeout(timer);
    }
  };
};
