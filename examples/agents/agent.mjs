#!/usr/bin/env node
/* An agent in Node.js (18 or later), from docs/protocol.md: the http2 module is all it takes.
 *
 *	homeport-gateway invite pi | tail -1 | ./agent.mjs join FOLDER	once; FOLDER keeps key and gateway
 *	./agent.mjs serve FOLDER [NAME...]				until Ctrl-C
 *
 * Needs the openssl command, for the certificate. It answers every request with the same page; put yours
 * into page(). Sections in comments are the protocol's.
 */
import {execFileSync} from 'node:child_process';
import {createHash, randomBytes, X509Certificate} from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';

/* The answer to a visitor's request: its head and who he is (RFC 7239). */
function page(head, forwarded) {
	const body = Buffer.from(`Hello from Node. You asked for ${head.split(' ', 2)[1] ?? '/'}.\n`);
	return Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n' +
		`Content-Length: ${body.length}\r\n\r\n`), body]);
}

function quit(why) {
	console.error(why);
	process.exit(1);
}

/* What others see of a key (1.2): the SHA-256 of its public half. */
function identityOf(certificate) {
	const key = new X509Certificate(certificate).publicKey.export({type: 'spki', format: 'der'});
	return createHash('sha256').update(key).digest('hex');
}

/* A visitor (3): his request's head, then the page. The other direction may be at its end already. */
function serveVisitor(stream, headers) {
	let head = '';
	stream.respond({':status': 200});
	stream.on('data', data => {
		if (stream.writableEnded || !(head = (head + data.toString('latin1')).slice(0, 16384)).includes('\r\n\r\n'))
			return;
		console.log(headers.forwarded, head.split('\r\n')[0]);
		stream.end(page(head, headers.forwarded));
	});
	stream.on('end', () => stream.end());
}

/*
 * One connection. `first` is our first message; on.message(link, message) gets the gateway's, on.over(link, why)
 * comes once, at the end.
 */
function openLink(folder, first, on) {
	const read = name => fs.readFileSync(path.join(folder, name));
	const at = JSON.parse(read('gateway.json'));
	const link = {visitors: new Set()};
	const socket = tls.connect({host: at.host, port: at.port, servername: net.isIP(at.host) ? '' : at.host,
		key: read('key.pem'), cert: read('certificate.pem'), minVersion: 'TLSv1.3',
		ALPNProtocols: ['homeport/1'], rejectUnauthorized: false}); // only the key in it counts
	// Reversed roles (1.4). Node refuses new streams while a session holds more than 10 MB: one slow visitor's page.
	const server = http2.createServer({settings: {maxConcurrentStreams: 1024}, maxSessionMemory: 256});
	let why, line = '', heard = 0, asked = false;

	const finish = () => { // all that is open has ended
		if (link.leaving && link.visitors.size === 0)
			link.control?.end();
	};
	link.leave = () => { // when the last visitor has gone (2.5)
		link.leaving = true;
		finish();
	};
	link.say = message => link.control.write(JSON.stringify(message) + '\n');
	socket.setNoDelay(true);
	socket.setTimeout(5000, () => link.control || socket.destroy(new Error('no answer within 5 s')));
	socket.once('secureConnect', () => {
		if (identityOf(socket.getPeerCertificate().raw) !== at.identity)
			quit(`${at.host} shows another key than the one this agent was paired with`);
		server.emit('connection', socket);
	});
	server.on('session', session => {
		link.session = session;
		session.on('error', error => why = error);
	});
	server.on('stream', (stream, headers) => {
		stream.on('error', () => {}); // he has left
		if (headers[':path'] === '/homeport/v1/control') { // 2.1
			link.control = stream;
			stream.respond({':status': 200, 'content-type': 'application/x-ndjson'});
			stream.on('data', data => {
				const lines = (line + data).split('\n');
				line = lines.pop();
				lines.forEach(text => on.message(link, JSON.parse(text)));
			});
			stream.on('close', () => link.session.close());
			link.say(first);
		} else if (headers[':method'] === 'CONNECT' && headers[':authority'] === 'web') { // 3.1
			link.visitors.add(stream);
			stream.on('close', () => link.visitors.delete(stream) && finish());
			serveVisitor(stream, headers);
		} else {
			stream.respond({':status': 404}, {endStream: true});
		}
	});
	const watch = setInterval(() => { // liveness (4): ask after 5 s, gone after 10
		if (socket.bytesRead !== heard)
			asked = false;
		else if (asked)
			socket.destroy(new Error('nothing was heard for 10 s'));
		else if (link.session && !link.session.destroyed)
			asked = link.session.ping(() => {});
		heard = socket.bytesRead;
	}, 5000);
	socket.on('error', error => why = error);
	socket.on('close', () => {
		clearInterval(watch);
		on.over(link, why);
	});
	return link;
}

/* Pairing (6). */
function join(folder) {
	const match = fs.readFileSync(0, 'latin1').match(/^hp1:\[?([^\]/]*?)\]?:(\d+)\/([\w-]{64})\s*$/);
	if (!match)
		quit('no pairing code on standard input');
	const both = Buffer.from(match[3], 'base64url');
	const [key, certificate] = ['key.pem', 'certificate.pem'].map(name => path.join(folder, name));
	fs.mkdirSync(folder, {recursive: true, mode: 0o700});
	if (!fs.existsSync(key)) // the key is the identity: never replaced
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
			'-days', '36500', '-subj', '/CN=homeport', '-keyout', key, '-out', certificate], {stdio: 'ignore'});
	fs.writeFileSync(path.join(folder, 'gateway.json'), JSON.stringify(
		{host: match[1], port: Number(match[2]), identity: both.subarray(0, 32).toString('hex')}));
	let answer;
	openLink(folder, {type: 'join', version: 1, secret: both.subarray(32).toString('base64url'), software: 'agent.mjs'}, {
		message: (link, message) => {
			answer = message;
			link.leave();
		},
		over: (link, why) => answer?.type === 'joined' ? console.log(`joined as ${answer.agent}.${answer.domain}`)
			: quit(`the gateway refuses: ${JSON.stringify(answer) ?? why}`),
	});
}

function serve(folder, names) {
	const hello = {type: 'hello', version: 1, instance: randomBytes(16).toString('hex'), revision: 1,
		software: 'agent.mjs', services: [{id: 'web', kind: 'http', names}]};
	let current, old, pause = 700;

	const dial = () => {
		current = openLink(folder, hello, {message, over});
	};
	const message = (link, message) => {
		if (message.type === 'welcome') {
			pause = 700;
			message.services.forEach(service => console.log((service.urls ?? [service.text]).join(' ')));
			old?.leave(); // its successor is welcome: no new visitors come there (2.6)
			old = undefined;
		} else if (message.type === 'drain' && link === current) { // 2.5
			old = link;
			dial();
		} else if (message.type === 'refused' || message.type === 'replaced') {
			quit(`${message.type}: ${message.text}`);
		} else if (message.type === 'notice') {
			console.log(message.text);
		} // other types are of no interest here, or not known yet
	};
	const over = (link, why) => {
		if (why)
			console.error('connection:', why.message);
		if (link !== current)
			return;
		setTimeout(dial, pause * (0.8 + 0.4 * Math.random())); // redial (5)
		pause = Math.min(2 * pause, 10000);
	};
	const go = () => { // for good: no services any more (2.5), and the end
		if (!current.control)
			process.exit(0);
		current.say({type: 'services', revision: 2, services: []});
		current.control.end(() => process.exit(0));
	};
	process.on('SIGTERM', go).on('SIGINT', go);
	dial();
}

const [action, folder, ...names] = process.argv.slice(2);
if (!folder || !['join', 'serve'].includes(action))
	quit('usage: agent.mjs join FOLDER | agent.mjs serve FOLDER [NAME...]');
action === 'join' ? join(folder) : serve(folder, names);
