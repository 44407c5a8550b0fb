// Node's own HTTP/1 parser behind a server that says what it saw of each request: the other side
// of node_diff_test.c. Prints its port and major version; ends when its standard input does.
'use strict';
const http = require('http');

const server = http.createServer({ maxHeaderSize: 16384 }, (request, response) => {
  let bytes = 0;
  request.on('data', (piece) => { bytes += piece.length; });
  request.on('end', () => {
    response.setHeader('X-Seen', `${request.method} ${request.url} ${bytes}`);
    response.setHeader('Content-Length', '0');
    response.end();
  });
});
server.maxHeadersCount = 0;
server.listen(0, '127.0.0.1', () => {
  console.log(`${server.address().port} ${process.versions.node}`);
});
process.stdin.on('end', () => process.exit(0)).resume();
