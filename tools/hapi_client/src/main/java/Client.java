import static org.hl7.fhir.r4.model.Bundle.BundleType.TRANSACTION;
import static org.hl7.fhir.r4.model.Bundle.LINK_NEXT;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.api.PreferReturnEnum;
import ca.uhn.fhir.rest.api.SearchStyleEnum;
import ca.uhn.fhir.rest.api.SummaryEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.server.exceptions.AuthenticationException;
import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceGoneException;
import ca.uhn.fhir.rest.server.exceptions.UnprocessableEntityException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.CodeType;
import org.hl7.fhir.r4.model.Enumerations.AdministrativeGender;
import org.hl7.fhir.r4.model.IdType;
import org.hl7.fhir.r4.model.Observation;
import org.hl7.fhir.r4.model.Observation.ObservationStatus;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Parameters;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.Quantity;
import org.hl7.fhir.r4.model.Reference;
import org.hl7.fhir.r4.model.StringType;

/**
 * Puts the HAPI FHIR client to a gateway: {@code Client BASE TOKEN NUMBER json|xml}. Ends with 0
 * where every interaction did what it says.
 */
public final class Client {
  private static final String SYSTEM = "urn:oid:1.2.36.146";

  private final IGenericClient client;
  private final String number;

  private Client(String base, String token, String number, EncodingEnum encoding) {
    FhirContext context = FhirContext.forR4();
    // It reads the CapabilityStatement before the first request, as HAPI does out of the box.
    context.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.ONCE);
    context.getRestfulClientFactory().setSocketTimeout(60_000);
    client = context.newRestfulGenericClient(base);
    client.registerInterceptor(new BearerTokenAuthInterceptor(token));
    client.setEncoding(encoding);
    this.number = number;
  }

  public static void main(String[] words) {
    EncodingEnum encoding = EncodingEnum.forContentType(words[3]);
    Client own = new Client(words[0], words[1], words[2], encoding);
    own.capabilities();
    Patient patient = own.oneResource();
    own.searches(patient);
    own.histories(patient);
    own.transactions(patient);
    own.operations(patient);
    own.refusals(words[0], patient);
    System.exit(0);
  }

  private void capabilities() {
    CapabilityStatement told = client.capabilities().ofType(CapabilityStatement.class).execute();
    check("4.0.1".equals(told.getFhirVersion().toCode()), "the FHIR version");
    check(told.getRestFirstRep().getResource().size() > 140, "the types");
  }

  private Patient oneResource() {
    MethodOutcome made = client.create().resource(patient(number)).prefer(PreferReturnEnum.REPRESENTATION).execute();
    check(made.getCreated() && "1".equals(made.getId().getVersionIdPart()), "create");
    IdType id = (IdType) made.getId();
    Patient read = client.read().resource(Patient.class).withId(id.getIdPart()).execute();
    check(number.equals(read.getIdentifierFirstRep().getValue()), "read");
    Patient same =
        client.read().resource(Patient.class).withId(id.getIdPart()).ifVersionMatches("1").returnNull().execute();
    check(same == null, "conditional read");
    read.setGender(AdministrativeGender.FEMALE);
    MethodOutcome changed = client.update().resource(read).execute();
    check("2".equals(changed.getId().getVersionIdPart()), "update with its version as If-Match");
    fails(PreconditionFailedException.class, "an update of an old version", () -> {
      Patient old = client.read().resource(Patient.class).withIdAndVersion(id.getIdPart(), "1").execute();
      return client.update().resource(old).withAdditionalHeader("If-Match", "W/\"1\"").execute();
    });
    Patient first = client.read().resource(Patient.class).withIdAndVersion(id.getIdPart(), "1").execute();
    check(!first.hasGender(), "vread");
    Parameters patch = new Parameters();
    Parameters.ParametersParameterComponent operation = patch.addParameter().setName("operation");
    operation.addPart().setName("type").setValue(new CodeType("replace"));
    operation.addPart().setName("path").setValue(new StringType("Patient.gender"));
    operation.addPart().setName("value").setValue(new CodeType("other"));
    client.patch().withFhirPatch(patch).withId(id.toVersionless().withResourceType("Patient")).execute();
    client.patch().withBody("[{\"op\":\"replace\",\"path\":\"/gender\",\"value\":\"male\"}]").withId(id.toVersionless()).execute();
    MethodOutcome conditional = client.update().resource(patient(number)).conditional()
        .where(Patient.IDENTIFIER.exactly().systemAndIdentifier(SYSTEM, number)).execute();
    check(conditional.getId().getIdPart().equals(id.getIdPart()), "conditional update");
    MethodOutcome known = client.create().resource(patient(number)).conditional()
        .where(Patient.IDENTIFIER.exactly().systemAndIdentifier(SYSTEM, number)).execute();
    check(known.getId().getIdPart().equals(id.getIdPart()), "conditional create");
    return client.read().resource(Patient.class).withId(id.getIdPart()).execute();
  }

  private void searches(Patient patient) {
    String name = "Patient/" + patient.getIdElement().getIdPart();
    for (int value = 60; value < 67; value++) {
      client.create().resource(pulse(name, value)).execute();
    }
    Bundle page = client.search().forResource(Observation.class)
        .where(Observation.PATIENT.hasId(name)).sort().ascending(Observation.DATE).count(3)
        .returnBundle(Bundle.class).execute();
    Set<String> seen = new HashSet<>();
    int pages = 0;
    while (page != null) {
      page.getEntry().forEach(one -> seen.add(one.getResource().getIdElement().getIdPart()));
      pages++;
      page = page.getLink(LINK_NEXT) == null ? null : client.loadPage().next(page).execute();
    }
    check(seen.size() == 7 && pages == 3, "paging: " + seen.size() + " in " + pages);
    Bundle posted = client.search().forResource(Observation.class)
        .where(Observation.PATIENT.hasId(name))
        .and(Observation.VALUE_QUANTITY.greaterThan().number(64).andUnits("http://unitsofmeasure.org", "/min"))
        .include(Observation.INCLUDE_SUBJECT).usingStyle(SearchStyleEnum.POST)
        .returnBundle(Bundle.class).execute();
    check(posted.getEntry().size() == 3, "search by POST with an include");
    Bundle chained = client.search().forResource(Observation.class)
        .where(Observation.SUBJECT.hasChainedProperty("Patient", Patient.IDENTIFIER.exactly().systemAndIdentifier(SYSTEM, number)))
        .totalMode(ca.uhn.fhir.rest.api.SearchTotalModeEnum.ACCURATE).count(2).returnBundle(Bundle.class).execute();
    check(chained.getTotal() == 7, "a chained search and its total");
    Bundle counted = client.search().forResource(Observation.class).where(Observation.PATIENT.hasId(name))
        .summaryMode(SummaryEnum.COUNT).returnBundle(Bundle.class).execute();
    check(counted.getTotal() == 7 && counted.getEntry().isEmpty(), "_summary=count");
    Bundle reverse = client.search().forResource(Patient.class).where(Patient.RES_ID.exactly().code(patient.getIdElement().getIdPart()))
        .revInclude(Observation.INCLUDE_PATIENT).returnBundle(Bundle.class).execute();
    check(reverse.getEntry().size() == 8, "_revinclude");
    Bundle byUrl = client.search().<Bundle>byUrl("Patient?_has:Observation:patient:code=8867-4&_id=" + patient.getIdElement().getIdPart())
        .returnBundle(Bundle.class).execute();
    check(byUrl.getEntry().size() == 1, "_has");
  }

  private void histories(Patient patient) {
    IdType id = patient.getIdElement().toUnqualifiedVersionless();
    Bundle instance = client.history().onInstance(id).returnBundle(Bundle.class).execute();
    check(instance.getEntry().size() == Integer.parseInt(patient.getIdElement().getVersionIdPart()), "instance history");
    Bundle type = client.history().onType(Patient.class).returnBundle(Bundle.class).count(1).execute();
    check(type.getEntry().size() == 1, "type history");
    Bundle server = client.history().onServer().returnBundle(Bundle.class).count(2).execute();
    check(server.getEntry().size() == 2, "system history");
  }

  private void transactions(Patient patient) {
    Bundle bundle = new Bundle().setType(TRANSACTION);
    String url = "urn:uuid:1f0f5a3e-6a0f-4d0c-9a54-7c2f3b0d3b11";
    bundle.addEntry().setFullUrl(url).setResource(patient(number + "-t")).getRequest()
        .setMethod(Bundle.HTTPVerb.POST).setUrl("Patient");
    bundle.addEntry().setResource(pulse(url, 80)).getRequest()
        .setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
    bundle.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET)
        .setUrl("Patient/" + patient.getIdElement().getIdPart());
    Bundle answer = client.transaction().withBundle(bundle).execute();
    check(answer.getEntry().size() == 3, "transaction");
    check(answer.getEntry().get(0).getResponse().getStatus().startsWith("201"), "its status");
    IdType id = new IdType(answer.getEntry().get(1).getResponse().getLocation());
    Observation read = client.read().resource(Observation.class).withId(id.getIdPart()).execute();
    IdType made = new IdType(answer.getEntry().get(0).getResponse().getLocation());
    check(read.getSubject().getReference().equals("Patient/" + made.getIdPart()), "its references");
    client.delete().resourceById(id.toUnqualifiedVersionless()).execute();
    fails(ResourceGoneException.class, "a deleted resource", () -> client.read().resource(Observation.class).withId(id.getIdPart()).execute());
  }

  private void operations(Patient patient) {
    IdType id = patient.getIdElement().toUnqualifiedVersionless();
    Bundle everything = client.operation().onInstance(id).named("$everything")
        .withNoParameters(Parameters.class).useHttpGet().returnResourceType(Bundle.class).execute();
    check(everything.getEntry().size() >= 8, "$everything");
    Bundle posted = client.operation().onInstance(id).named("$everything")
        .withNoParameters(Parameters.class).returnResourceType(Bundle.class).execute();
    check(posted.getEntry().size() >= 8, "$everything by POST");
    MethodOutcome judged = client.validate().resource(patient(number)).execute();
    check(errors((OperationOutcome) judged.getOperationOutcome()) == 0, "$validate");
    Observation faulty = pulse(id.getValue(), 3);
    faulty.setStatus(null);
    OperationOutcome told;
    try {
      told = (OperationOutcome) client.validate().resource(faulty).execute().getOperationOutcome();
    } catch (UnprocessableEntityException error) {
      told = (OperationOutcome) error.getOperationOutcome();
    }
    check(errors(told) > 0, "$validate of a faulty resource");
  }

  private void refusals(String base, Patient patient) {
    IGenericClient nobody = client.getFhirContext().newRestfulGenericClient(base);
    fails(AuthenticationException.class, "no token", () -> nobody.read().resource(Patient.class).withId(patient.getIdElement().getIdPart()).execute());
    try {
      client.create().resource(pulse("Patient/nobody-" + number, 1)).execute();
      check(false, "an unknown subject");
    } catch (ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException error) {
      check(error.getOperationOutcome() != null, "an OperationOutcome with a refusal");
    }
  }

  private static Patient patient(String number) {
    Patient made = new Patient();
    made.addIdentifier().setSystem(SYSTEM).setValue(number);
    made.addName().setFamily("Hapi-" + number).addGiven("Änne");
    return made;
  }

  private static Observation pulse(String subject, int value) {
    Observation made = new Observation().setStatus(ObservationStatus.FINAL);
    made.getCode().addCoding().setSystem("http://loinc.org").setCode("8867-4");
    made.setSubject(new Reference(subject));
    made.setEffective(new org.hl7.fhir.r4.model.DateTimeType("2024-01-02T08:00:" + (value % 60 < 10 ? "0" : "") + value % 60 + "Z"));
    made.setValue(new Quantity().setValue(value).setUnit("/min").setSystem("http://unitsofmeasure.org").setCode("/min"));
    return made;
  }

  private static long errors(OperationOutcome told) {
    return told.getIssue().stream()
        .filter(one -> List.of("error", "fatal").contains(one.getSeverity().toCode())).count();
  }

  private static void fails(Class<? extends Exception> expected, String what, Callable<?> act) {
    try {
      act.call();
    } catch (Exception error) {
      check(expected.isInstance(error), what + ": " + error);
      return;
    }
    check(false, what + " was let through");
  }

  private static void check(boolean holds, String what) {
    if (!holds) {
      System.err.println("Not as it should be: " + what);
      System.exit(1);
    }
  }
}
