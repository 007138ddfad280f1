import { testFamilies } from '../support/hostile/family-tests.ts'

testFamilies(['reach', 'files', 'pollution'])
