// Runs the documents' C# snippet over cases, one on each line, as cases.ts writes them.
using System;
using System.Collections.Generic;
using System.Text;

public static class Check
{
    static readonly string[] Names = { "x-signature", "webhook-id", "webhook-timestamp", "webhook-signature" };

    public static void Main()
    {
        string line;
        while ((line = Console.In.ReadLine()) != null)
        {
            if (line == "") continue;
            var values = line.Split('\t');
            var headers = new Dictionary<string, string>();
            for (var i = 0; i < Names.Length; i++)
                if (values[i + 3] != "-") headers[Names[i]] = Text(values[i + 3]);
            var body = Convert.FromBase64String(values[2]);
            string signature;
            headers.TryGetValue("x-signature", out signature);
            var ok = values[0] == "x"
                ? PosthornSignature.VerifyXSignature(body, signature, Text(values[1]))
                : PosthornSignature.VerifyStandard(body, headers, Text(values[1]));
            Console.WriteLine(ok ? "true" : "false");
        }
    }

    static string Text(string encoded)
    {
        return Encoding.UTF8.GetString(Convert.FromBase64String(encoded));
    }
}
