// Writes docs/openapi.json, the form of the API that is kept beside its source; src/api/openapi.test.ts compares it.
import { writeFile } from 'node:fs/promises'
import { DOCUMENT_FILE, documentText } from '../src/api/document.fixture.ts'

await writeFile(DOCUMENT_FILE, await documentText())
