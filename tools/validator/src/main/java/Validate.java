import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.utilities.npm.NpmPackage;

/**
 * HL7's R4 instance validator on what it is given: a folder of *.json, or with no argument one
 * object {"name": ..., "resource": "its JSON as text"} a line on standard input (text, so that decimals
 * stay as they are). Writes one line for each:
 * {"name": ..., "issues": [{"severity", "id", "at", "text"}]}. Judges nothing itself.
 */
public final class Validate {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final FhirValidator validator;
    private final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private Validate(List<Path> packages) throws IOException {
        FhirContext r4 = FhirContext.forR4();
        ValidationSupportChain known = new ValidationSupportChain(
                new DefaultProfileValidationSupport(r4),
                loaded(r4, packages),
                new InMemoryTerminologyServerValidationSupport(r4),
                new CommonCodeSystemsTerminologyService(r4),
                new SnapshotGeneratingValidationSupport(r4));
        FhirInstanceValidator rules = new FhirInstanceValidator(known);
        rules.setAnyExtensionsAllowed(true);
        rules.setErrorForUnknownProfiles(false); // a resource may claim one that R4 does not define
        validator = r4.newValidator();
        validator.registerValidatorModule(rules);
    }

    /** The definitions in FHIR packages (.tgz), read from disk. */
    private static PrePopulatedValidationSupport loaded(FhirContext r4, List<Path> packages)
            throws IOException {
        PrePopulatedValidationSupport found = new PrePopulatedValidationSupport(r4);
        for (Path one : packages) {
            NpmPackage unpacked = NpmPackage.fromPackage(Files.newInputStream(one));
            for (String name : unpacked.listResources("StructureDefinition", "ValueSet", "CodeSystem")) {
                found.addResource(r4.newJsonParser().parseResource(unpacked.loadResource(name)));
            }
        }
        return found;
    }

    private void judge(String name, String resource) throws IOException {
        ObjectNode line = JSON.createObjectNode().put("name", name);
        ArrayNode issues = line.putArray("issues");
        try {
            for (SingleValidationMessage found : validator.validateWithResult(resource).getMessages()) {
                issues.addObject()
                        .put("severity", found.getSeverity().getCode())
                        .put("id", found.getMessageId())
                        .put("at", found.getLocationString())
                        .put("text", found.getMessage());
            }
        } catch (RuntimeException failure) { // it does on some broken resources
            issues.addObject()
                    .put("severity", "fatal")
                    .put("id", "validator-failed")
                    .put("at", "")
                    .put("text", String.valueOf(failure));
        }
        out.println(JSON.writeValueAsString(line));
    }

    private void folder(Path root) throws IOException {
        List<Path> files;
        try (Stream<Path> found = Files.walk(root)) {
            files = found.filter(one -> one.toString().endsWith(".json")).sorted().toList();
        }
        for (Path file : files) {
            judge(root.relativize(file).toString(), Files.readString(file));
        }
    }

    private void lines() throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode given = JSON.readTree(line);
            judge(given.get("name").asText(), given.get("resource").asText());
        }
    }

    /** Runs on the folder that is an argument, or on standard input; *.tgz are packages to load. */
    public static void main(String[] arguments) throws IOException {
        List<Path> given = Stream.of(arguments).map(Path::of).toList();
        List<Path> packages = given.stream().filter(one -> one.toString().endsWith(".tgz")).toList();
        Validate task = new Validate(packages);
        List<Path> folders = given.stream().filter(one -> !packages.contains(one)).toList();
        if (folders.isEmpty()) {
            task.lines();
        } else {
            task.folder(folders.get(0));
        }
    }
}
