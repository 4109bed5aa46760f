// Runs the documents' Java snippet over cases, one on each line, as cases.ts writes them.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;

public final class Check {
    private static final String[] NAMES = {"x-signature", "webhook-id", "webhook-timestamp", "webhook-signature"};

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
            String[] values = line.split("\t", -1);
            Map<String, String> headers = new HashMap<>();
            for (int i = 0; i < NAMES.length; i++) {
                if (!values[i + 3].equals("-")) headers.put(NAMES[i], text(values[i + 3]));
            }
            byte[] body = Base64.getDecoder().decode(values[2]);
            boolean ok = values[0].equals("x")
                ? PosthornSignature.verifyXSignature(body, headers.getOrDefault("x-signature", ""), text(values[1]))
                : PosthornSignature.verifyStandard(body, headers, text(values[1]), Instant.now());
            System.out.println(ok);
        }
    }

    private static String text(String encoded) {
        return new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8);
    }
}
