<?php
// Runs the documents' PHP snippet over cases, one on each line, as cases.ts writes them.

require __DIR__ . '/snippet.php';

$names = ['x-signature', 'webhook-id', 'webhook-timestamp', 'webhook-signature'];
foreach (explode("\n", trim(stream_get_contents(STDIN))) as $line) {
    [$kind, $secret, $body] = $values = explode("\t", $line);
    $headers = [];
    foreach ($names as $index => $name) {
        if ($values[$index + 3] !== '-') {
            $headers[$name] = base64_decode($values[$index + 3]);
        }
    }
    $secret = base64_decode($secret);
    $body = base64_decode($body);
    $ok = $kind === 'x'
        ? verify_x_signature($body, $headers['x-signature'] ?? '', $secret)
        : verify_standard($body, $headers, $secret);
    echo $ok ? "true\n" : "false\n";
}
